/** One explicit recipe, ours beside Python's: how long, and with how much memory whatever the number of samples. */
import { linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bundleCommands } from '../../bin/bundle-commands.mjs';
import { openSession } from '../../lib/compiler/runtime/session.js';
import { runTree } from '../process-tree.js';
import { median, type SuiteContext } from '../suite.js';
import { dumpFeeds } from './feeds.js';
import { peerSource, runPeer } from './peers.js';
import { CALIBRATION_SAMPLES, type PreparedBenchModel } from './prepared-model.js';

const ROUNDS = 3;
const [FEW, MANY] = [10, 1000];
const ALLOWED_BYTES = 150e6;
const RECIPE = 'static-minmax-channel';
const bundle = join(import.meta.dirname, '../../.cache/quantize/recipe-process');
const script = (name: string) => join(import.meta.dirname, name);

export async function compareRecipeCost({ row, bar }: SuiteContext, model: PreparedBenchModel): Promise<void> {
  const temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  const target = join(temporary, 'target.onnx');
  /** Without a number: every row of the archive, of which sequences have one a step. */
  const ours = async (feeds: string, samples?: number, watchMemory = false) => {
    const rows = samples === undefined ? [] : [String(samples)];
    const parameters = [program, model.plain, target, feeds, ...rows];
    const run = await runTree(process.execPath, parameters, { watchMemory });
    if (run.code !== 0) throw new Error(`${model.name}: ${run.stderr.slice(-2000)}`);
    return run;
  };
  const theirs = (feeds: string, samples?: number) =>
    runPeer('quantize', source, target, RECIPE, feeds, ...(samples === undefined ? [] : [String(samples)]));
  const program = await recipeProgram();
  const source = await peerSource(model);
  const record = (subject: string, metric: string, value: number | null, unit: string) =>
    row({ case: model.name, subject, metric, value, unit });
  try {
    const [own, other]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      other.push((await theirs(model.feeds)).seconds);
      own.push((await ours(model.feeds)).seconds);
    }
    // Python's script opens what it wrote; that ours can be opened is seen here.
    await (await openSession(target)).close();
    record('ours', `recipe, ${CALIBRATION_SAMPLES} samples`, median(own), 's');
    record('Python', `recipe, ${CALIBRATION_SAMPLES} samples`, median(other), 's');
    const ratios = own.map((seconds, round) => seconds / (other[round] ?? Number.NaN));
    bar(`${model.name}: time of a recipe, ours / Python`, median(ratios), { max: 0.7 });

    const few = join(model.folder, `${model.digest.slice(0, 12)}-feeds-${FEW}.npz`);
    await dumpFeeds(await model.openData('calibration'), few, { original: model.plain, samples: FEW });
    const many = repeated(few, join(dirname(few), `many-${process.pid}`));
    try {
      const plain = await plainPeak(model);
      record('onnxruntime-node, plain', 'peak memory', plain, 'bytes');
      const allowed = Math.round(plain + 2.5 * model.bytes + ALLOWED_BYTES);
      for (const [samples, feeds] of [
        [FEW, few],
        [MANY, many],
      ] as const) {
        const { peakBytes } = await ours(feeds, samples, true);
        record('ours', `peak memory, ${samples} samples`, peakBytes, 'bytes');
        record('Python', `peak memory, ${samples} samples`, (await theirs(few, samples)).peakBytes, 'bytes');
        bar(`${model.name}: peak memory with ${samples} samples, bytes`, peakBytes, { max: allowed });
      }
    } finally {
      rmSync(many, { recursive: true, force: true });
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function recipeProgram(): Promise<string> {
  await bundleCommands(bundle, { 'recipe-process': 'bench/quantize/recipe-process.ts' });
  return join(bundle, 'recipe-process.js');
}

/** As many samples as are asked for, without the disk for them. */
function repeated(file: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (let copy = 0; copy < MANY / FEW; copy++) linkSync(file, join(folder, `${String(copy).padStart(4, '0')}.npz`));
  return folder;
}

async function plainPeak(model: PreparedBenchModel): Promise<number> {
  const data = await model.openData('calibration');
  for await (const { steps } of data.read(data.ids.slice(0, 1))) {
    const dims = Object.fromEntries(Object.entries(steps[0] ?? {}).map(([name, tensor]) => [name, tensor.dims]));
    const run = await runTree(process.execPath, [script('plain-run.mjs'), model.plain, JSON.stringify(dims)]);
    if (run.code !== 0) throw new Error(`${model.name}: ${run.stderr.slice(-2000)}`);
    return Number(JSON.parse(run.stdout).peakBytes);
  }
  throw new Error(`${model.name} has no samples`);
}
