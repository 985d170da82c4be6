/** The models that are started, with inputs and what comes of them. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeModel } from '../../lib/compiler/ir/serialization/write.js';
import { openSession } from '../../lib/compiler/runtime/session.js';
import { randomFloats } from '../../test/support/random-numbers.js';
import { realModels } from '../../test/support/real-models.js';
import { transformer } from '../../test/support/transformer.js';

export interface Input {
  readonly name: string;
  readonly dataType: 'float32' | 'int64';
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface BenchModel {
  readonly name: string;
  /** Its file, with the weights inside. */
  readonly source: string;
  /** Of its file, alone in it. */
  readonly folder: string;
  /** As in model.json. */
  readonly task: unknown;
  readonly inputs: readonly Input[];
  /** All outputs, one after the other in the model's order. */
  readonly expected: Float32Array;
}

interface ModelSource {
  readonly write: (path: string) => Promise<void>;
  readonly task?: unknown;
  readonly inputs: readonly Input[];
}

const root = join(import.meta.dirname, '../..');
const TOKENS = 16;
const WIDTH = 480;

function floats(name: string, shape: readonly number[], seed: number): Input {
  const count = shape.reduce((product, size) => product * size, 1);
  return { name, dataType: 'float32', shape, data: randomFloats(count, seed) };
}

const SOURCES = {
  faces: {
    write: async (path) => copyFileSync(realModels.blazefaceBack, path),
    task: JSON.parse(readFileSync(join(root, 'models/faces/model.json'), 'utf8')).task,
    inputs: [floats('input:0', [1, 256, 256, 3], 1)],
  },
  silero: {
    write: async (path) => copyFileSync(realModels.sileroV5, path),
    inputs: [
      floats('input', [1, 576], 1),
      floats('state', [2, 1, 128], 2),
      { name: 'sr', dataType: 'int64', shape: [], data: BigInt64Array.of(16_000n) },
    ],
  },
  transformer: {
    write: (path) => writeModel(transformer({ layers: 12, width: WIDTH, heads: 8 }), path),
    inputs: [floats('x', [1, TOKENS, WIDTH], 1)],
  },
} as const satisfies Record<string, ModelSource>;

export type ModelName = keyof typeof SOURCES;
export const MODEL_NAMES = Object.keys(SOURCES) as ModelName[];

/** Writes a model below `parent`, and runs it once on this machine. */
export async function prepareModel(name: ModelName, parent: string): Promise<BenchModel> {
  const { write, inputs, task }: ModelSource = SOURCES[name];
  const folder = join(parent, name);
  mkdirSync(folder);
  const source = join(folder, 'source.onnx');
  await write(source);
  await using session = await openSession(source);
  const feeds = Object.fromEntries(
    inputs.map(({ name: input, dataType, shape, data }) => [input, { dataType, dims: [...shape], data }]),
  );
  const { outputs } = await session.run(feeds);
  const expected = session.outputs.flatMap((output) => [...((outputs[output.name]?.data ?? []) as Float32Array)]);
  return { name, source, folder, task, inputs, expected: Float32Array.from(expected) };
}

/** As peers' handlers and the floor read it. */
export function describeInputs(inputs: readonly Input[]) {
  return inputs.map(({ name, dataType, shape, data }) => ({ name, dataType, shape, bytes: data.byteLength }));
}

export function bytesOf(inputs: readonly Input[]): Buffer {
  return Buffer.concat(inputs.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
}
