/** tf2onnx beside us: what it can read, whether that is right, and how long it takes. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pythonWith } from '../../test/support/python-environment.js';
import { runTree } from '../process-tree.js';
import type { SuiteContext } from '../suite.js';
import { type Architecture, CONVERSION_REQUIREMENTS, FORMATS, type Format } from './architectures.js';
import { convertByCommand } from './convert-command.js';
import { differenceFromSource } from './difference-from-source.js';

const OPTIONS: Readonly<Record<Format['file'], string>> = {
  'model.keras': '--keras',
  'model.h5': '--keras',
  saved_model: '--saved-model',
  'model.tflite': '--tflite',
};
/** One small, one with much in it, one with large weights. */
const TIMED = ['MobileNetV3Small', 'EfficientNetB0', 'ResNet50'];
const [LIMIT_MS, AT_A_TIME] = [300_000, 2];
/** What its answers are called wrong by, as a conversion of ours would be. */
const WRONG = 1e-3;

type Verdict = { readonly failure: string } | { readonly difference: number; readonly tolerance: number };

export async function comparePeer(context: SuiteContext, architectures: readonly Architecture[]): Promise<void> {
  const { row, bar, note } = context;
  const pairs = architectures.flatMap((architecture) => FORMATS.map((format) => ({ architecture, format })));
  const verdicts = new Map<(typeof pairs)[number], Verdict>();
  const open = [...pairs];
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (let pair = open.shift(); pair !== undefined; pair = open.shift()) {
        const verdict = await verdictOn(pair.architecture, pair.format);
        verdicts.set(pair, verdict);
        if ('failure' in verdict) note(`tf2onnx, ${pair.architecture.name} ${pair.format.name}: ${verdict.failure}`);
      }
    }),
  );
  for (const format of FORMATS) {
    const of = pairs.filter((pair) => pair.format === format).map((pair) => verdicts.get(pair));
    const record = (metric: string, value: number) =>
      row({ case: format.name, subject: 'tf2onnx', metric, value, unit: `of ${of.length} networks` });
    const read = of.filter((verdict) => verdict !== undefined && 'difference' in verdict);
    record('cannot read', of.length - read.length);
    record('reads, and is wrong', read.filter(({ difference }) => !(difference <= WRONG)).length);
    record('reads, and strays', read.filter(({ difference, tolerance }) => !(difference <= tolerance)).length);
  }
  for (const pair of pairs) {
    const { architecture, format } = pair;
    const verdict = verdicts.get(pair);
    if (!TIMED.includes(architecture.name) || verdict === undefined || 'failure' in verdict) continue;
    const { own, other } = await timesOf(architecture, format);
    const name = `${architecture.name}, ${format.name}`;
    row({ case: name, subject: 'ours', metric: 'time of convert', value: own, unit: 's' });
    row({ case: name, subject: 'tf2onnx', metric: 'time of convert', value: other, unit: 's' });
    bar(`${name}: time, ours / tf2onnx`, own / other, { max: 1 });
  }
}

/** One after the other; once, for what differs by this much. */
async function timesOf(architecture: Architecture, format: Format): Promise<{ own: number; other: number }> {
  const temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  try {
    const theirs = await runPeer(architecture, format, join(temporary, 'theirs.onnx'));
    const ours = await convertByCommand(join(architecture.folder, format.file), join(temporary, 'ours.onnx'), false);
    return { own: ours.seconds, other: theirs.seconds };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Kept beside the files that it is about. */
async function verdictOn(architecture: Architecture, format: Format): Promise<Verdict> {
  const kept = join(architecture.folder, `tf2onnx-${format.file}.json`);
  if (!existsSync(kept)) {
    const verdict = await freshVerdict(architecture, format);
    writeFileSync(`${kept}.unfinished`, JSON.stringify(verdict));
    renameSync(`${kept}.unfinished`, kept);
  }
  return JSON.parse(readFileSync(kept, 'utf8'));
}

async function freshVerdict(architecture: Architecture, format: Format): Promise<Verdict> {
  const temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  const out = join(temporary, 'theirs.onnx');
  try {
    await runPeer(architecture, format, out);
    const difference = await differenceFromSource(out, architecture.fixture, format.source);
    return { difference, tolerance: architecture.fixture.tolerances[format.source] ?? Number.NaN };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** @throws Error with the last of what it wrote */
async function runPeer(architecture: Architecture, format: Format, out: string) {
  const parameters = [OPTIONS[format.file], join(architecture.folder, format.file), '--output', out, '--opset', '17'];
  const run = await runTree(pythonWith(CONVERSION_REQUIREMENTS), ['-m', 'tf2onnx.convert', ...parameters], {
    environment: { TF_ENABLE_ONEDNN_OPTS: '0', TF_CPP_MIN_LOG_LEVEL: '3' },
    timeout: LIMIT_MS,
  });
  // It ends with 0 after some failures, too.
  if (run.code !== 0 || !existsSync(out))
    throw new Error(run.stderr.trim().split('\n').at(-1) || `exit code ${run.code}`);
  return run;
}
