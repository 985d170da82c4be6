/** Python's quantizer beside us: what its default recipes make of a model. Kept by versions, script and data. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonWith } from '../../test/support/python-environment.js';
import { QUANTIZATION_REQUIREMENTS } from '../../test/support/quantization-python.js';
import type { PreparedBenchModel } from './prepared-model.js';

const script = join(import.meta.dirname, 'peer.py');
const rangesScript = join(import.meta.dirname, 'peer_ranges.py');
const cache = join(import.meta.dirname, '../../.cache/quantize');
const run = promisify(execFile);
/** Longer than any recipe takes. */
const LIMIT_MS = 600_000;

/** Python's defaults, by the choices that its documentation offers. */
export const PEER_RECIPES = ['dynamic', 'static-minmax', 'static-entropy', 'static-percentile'].flatMap((recipe) => [
  recipe,
  `${recipe}-channel`,
]);

export interface PeerModel {
  readonly recipe: string;
  /** Absent where Python failed. */
  readonly path?: string;
  readonly bytes?: number;
  readonly failure?: string;
}

export interface PeerAnswer {
  /** Of the process, from its start to its end. */
  readonly seconds: number;
  readonly peakBytes: number;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** One command of peer.py. @throws Error with the last of what it wrote */
export function runPeer(...parameters: readonly string[]): Promise<PeerAnswer> {
  return runScript(script, parameters);
}

/** What peer_ranges.py answers. @throws Error with the last of what it wrote */
export async function peerRanges(...parameters: readonly string[]): Promise<PeerAnswer['answer']> {
  return (await runScript(rangesScript, parameters)).answer;
}

async function runScript(path: string, parameters: readonly string[]): Promise<PeerAnswer> {
  const python = pythonWith(QUANTIZATION_REQUIREMENTS);
  const start = performance.now();
  try {
    const options = { timeout: LIMIT_MS, maxBuffer: 2 ** 28, env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' } };
    const { stdout } = await run(python, ['-B', path, ...parameters], options);
    const answer = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    return { seconds: (performance.now() - start) / 1000, peakBytes: answer.peakBytes, answer };
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(stderr.trim().split('\n').at(-1) || message, { cause: error });
  }
}

/** The model at opset 17, as the quantizer wants it; with its frozen inputs where it has any, so that nothing hides in an If. */
export async function peerSource(model: PreparedBenchModel): Promise<string> {
  const target = join(peerFolder(model), 'source.onnx');
  if (existsSync(target)) return target;
  await runPeer('convert', model.plain, `${target}.unfinished`);
  renameSync(`${target}.unfinished`, target);
  return target;
}

export async function peerModel(model: PreparedBenchModel, recipe: string): Promise<PeerModel> {
  const folder = peerFolder(model);
  const [path, failed] = [join(folder, `${recipe}.onnx`), join(folder, `${recipe}.failed`)];
  if (!existsSync(path) && !existsSync(failed)) {
    try {
      await runPeer('quantize', await peerSource(model), `${path}.unfinished`, recipe, model.feeds);
      renameSync(`${path}.unfinished`, path);
    } catch (error) {
      writeFileSync(failed, error instanceof Error ? error.message : String(error));
    }
  }
  if (existsSync(failed)) return { recipe, failure: readFileSync(failed, 'utf8') };
  return { recipe, path, bytes: statSync(path).size };
}

function peerFolder({ name, digest }: PreparedBenchModel): string {
  const made = [digest, ...QUANTIZATION_REQUIREMENTS, readFileSync(script, 'utf8')].join('\n');
  const folder = join(cache, `${name}-peers-${createHash('sha256').update(made).digest('hex').slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}
