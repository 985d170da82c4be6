/** The predict function's own cost: the real bundle beside bare `session.run`, and beside FastAPI with onnxruntime, in-process. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildArtifact } from '../lib/compiler/build.js';
import { decodeAlignedBase64 } from '../lib/protocol/aligned-body.js';
import { decodeInferRequest } from '../lib/protocol/infer-request.js';
import { HOST_ARCHITECTURE, prepareFunction } from '../test/support/predict-function.js';
import { pythonWith } from './python-environment.js';
import { requestMutations } from './serving-mutations.js';
import { median, type Suite, type SuiteContext } from './suite.js';

const root = join(import.meta.dirname, '..');
const PEER = ['fastapi==0.165.0', 'onnxruntime==1.30.0', 'numpy==2.4.6'];
const RUNS = 200;

/** Milliseconds of one call. */
interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

interface Samples {
  /** `session.run` alone. */
  readonly bare: readonly Sample[];
  /** The whole handler. */
  readonly handled: readonly Sample[];
}

export const serving: Suite = {
  name: 'serving',
  versions: async () => Object.fromEntries(PEER.map((requirement) => requirement.split('=='))),
  async run(context) {
    if (context.wants('handler')) await handlerCost(context);
    if (context.wants('decode')) decodeCost(context);
    if (context.wants('mutations')) await requestMutations(context);
  },
};

async function handlerCost({ row, bar, note }: SuiteContext): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  const prepared = await prepareFunction();
  try {
    const artifact = join(folder, 'faces');
    await buildArtifact({
      modelDirectory: join(root, 'models/faces'),
      outputDirectory: artifact,
      architecture: HOST_ARCHITECTURE,
    });
    const env = {
      PATH: process.env.PATH,
      NODE_PATH: join(prepared.folder, 'opt/nodejs/node_modules'),
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
      ORT_DISABLE_TELEMETRY: '1',
    };
    const handler = join(import.meta.dirname, 'serving-handler.mjs');
    const bundle = join(prepared.folder, 'task/predict/index.mjs');
    const ours = measured(() => lastLine(process.execPath, [handler, bundle, artifact, String(RUNS)], env));
    const added = report(row, 'handler', 'our handler', ours);
    bar('handler over bare session.run, ms at the median', added.wall, { max: 1 });

    const python = pythonOrNote(note);
    const script = join(import.meta.dirname, 'serving_fastapi.py');
    const theirs =
      python === undefined
        ? undefined
        : measured(() => lastLine(python, [script, join(artifact, 'model.onnx'), String(RUNS)], env));
    if (theirs === undefined) {
      const absent = { case: 'handler', subject: 'FastAPI', metric: 'cpu added', value: null, unit: 'ms' };
      row({ ...absent, note: 'could not be had here' });
      bar('CPU beyond session.run / FastAPI', null, { max: 1 });
    } else {
      const peer = report(row, 'handler', 'FastAPI', theirs);
      bar('CPU beyond session.run / FastAPI', added.cpu / peer.cpu, { max: 1 });
    }
  } finally {
    prepared.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Rows of one subject; what its handler adds to `session.run`, at the median of the pairs (wall) and on average (CPU, whose clock is coarse). */
function report(row: SuiteContext['row'], name: string, subject: string, { bare, handled }: Samples): Sample {
  const mean = (samples: readonly Sample[]) => samples.reduce((sum, { cpu }) => sum + cpu, 0) / samples.length;
  const wall = (samples: readonly Sample[]) => median(samples.map((sample) => sample.wall));
  const added = {
    wall: median(handled.map((sample, index) => sample.wall - (bare[index]?.wall ?? Number.NaN))),
    cpu: mean(handled) - mean(bare),
  };
  const rows: [string, number][] = [
    ['bare median', wall(bare)],
    ['handled median', wall(handled)],
    ['added median', added.wall],
    ['cpu added', added.cpu],
  ];
  for (const [metric, value] of rows) row({ case: name, subject, metric, value, unit: 'ms' });
  return added;
}

/** A tensor of 1 MB, as it comes from API Gateway: base64 to a typed array, and JSON text to a typed array. */
function decodeCost({ row, bar }: SuiteContext): void {
  const data = Float32Array.from({ length: 262_144 }, (_, index) => Math.fround(Math.sin(index)));
  const shape = [1, data.length];
  const signature = { inputs: [{ name: 'x', dataType: 'float32', shape }], outputs: [] } as const;
  const input = { name: 'x', shape, datatype: 'FP32' };
  const header = JSON.stringify({ inputs: [{ ...input, parameters: { binary_data_size: data.byteLength } }] });
  const base64 = Buffer.concat([Buffer.from(header), Buffer.from(data.buffer)]).toString('base64');
  const text = JSON.stringify({ inputs: [{ ...input, data: Array.from(data) }] });
  const headerLength = Buffer.byteLength(header);
  const binary = () =>
    decodeInferRequest({ kind: 'bytes', bytes: decodeAlignedBase64(base64, headerLength), headerLength }, signature);
  const json = () => decodeInferRequest({ kind: 'text', text }, signature);
  const times: { binary: number[]; json: number[] } = { binary: [], json: [] };
  for (let run = -5; run < 40; run++) {
    const start = performance.now();
    binary();
    const middle = performance.now();
    json();
    if (run < 0) continue;
    times.binary.push(middle - start);
    times.json.push(performance.now() - middle);
  }
  const [fast, slow] = [median(times.binary), median(times.json)];
  row({ case: 'decode', subject: 'binary, 1 MB', metric: 'median of 40', value: fast, unit: 'ms' });
  row({ case: 'decode', subject: 'JSON, the same tensor', metric: 'median of 40', value: slow, unit: 'ms' });
  bar('JSON decode / binary decode of 1 MB', slow / fast, { min: 20 });
}

function measured(run: () => string): Samples {
  return JSON.parse(run()) as Samples;
}

function lastLine(command: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  const output = execFileSync(command, args, {
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return output.trim().split('\n').at(-1) ?? '';
}

function pythonOrNote(note: SuiteContext['note']): string | undefined {
  try {
    return pythonWith(PEER);
  } catch (error) {
    note(`no Python peer: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
