/** Activations of a model, sample after sample: values become outputs of a throw-away copy, and nothing is kept of them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSet, Feeds } from '../../data/data-set.js';
import { copyModel } from '../../ir/copy.js';
import type { Model } from '../../ir/model.js';
import { writeModel } from '../../ir/serialization/write.js';
import type { Value } from '../../ir/value.js';
import { openSession, type RuntimeTensor } from '../../runtime/session.js';

export interface StreamOptions {
  /** Samples to read, from the start of the set. Default 64. */
  readonly samples?: number;
  /** Bytes of one run's values that are out of the session at a time; more are fetched in several runs. Default 64 MiB. */
  readonly maximumBytes?: number;
  readonly signal?: AbortSignal;
}

export interface StreamedRun {
  /** Counts samples from 0; the steps of a sequence share theirs. */
  readonly sample: number;
  /** Some of the values that were asked for; every value comes once for each run, in one piece or another. */
  readonly values: ReadonlyMap<string, RuntimeTensor>;
}

const MAXIMUM_BYTES = 64 * 2 ** 20;
const SAMPLES = 64;

/**
 * Runs a model on a data set and hands out values of its main graph by name: inputs, or what nodes compute.
 * @throws RuntimeError where onnxruntime refuses the model or the data
 */
export async function* streamValues(
  model: Model,
  names: readonly string[],
  data: DataSet,
  options: StreamOptions = {},
): AsyncGenerator<StreamedRun> {
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-values-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeWithOutputs(model, names, path);
    const during = options.signal === undefined ? {} : { signal: options.signal };
    await using session = await openSession(path, during);
    const inputs = new Set(session.inputs.map(({ name }) => name));
    const carried = Object.entries(data.carried);
    const states = carried.map(([, output]) => output);
    const computed = new Set([...names, ...states].filter((name) => !inputs.has(name)));
    const pieces = new Pieces([...computed], options.maximumBytes ?? MAXIMUM_BYTES);
    for await (const { sample, feeds, advance } of runsOf(data, options.samples ?? SAMPLES)) {
      options.signal?.throwIfAborted();
      const fed = names.flatMap((name) => (feeds[name] === undefined ? [] : [[name, feeds[name]] as const]));
      if (fed.length > 0) yield { sample, values: new Map(fed) };
      const state: Record<string, RuntimeTensor> = {};
      for (const piece of pieces.next()) {
        const { outputs } = await session.run(feeds, piece);
        pieces.measure(outputs);
        for (const [input, output] of carried) if (outputs[output] !== undefined) state[input] = outputs[output];
        yield { sample, values: new Map(Object.entries(outputs)) };
      }
      advance(state);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Run {
  readonly sample: number;
  readonly feeds: Feeds;
  /** Takes what the step left for the next one. */
  advance(state: Feeds): void;
}

/** Single runs, the steps of a sequence with the state of the step before. */
export async function* runsOf(data: DataSet, samples: number): AsyncGenerator<Run> {
  let sample = 0;
  for await (const { steps } of data.read(data.ids.slice(0, samples))) {
    let state: Feeds = {};
    for (const step of steps) {
      yield {
        sample,
        feeds: { ...step, ...state },
        advance: (next) => {
          state = next;
        },
      };
    }
    sample++;
  }
}

/** Names in pieces whose values fit the memory: their sizes are learnt from the first run, in which each comes alone. */
class Pieces {
  readonly #names: readonly string[];
  readonly #maximumBytes: number;
  readonly #bytes = new Map<string, number>();

  constructor(names: readonly string[], maximumBytes: number) {
    this.#names = names;
    this.#maximumBytes = maximumBytes;
  }

  measure(outputs: Feeds): void {
    for (const [name, { data }] of Object.entries(outputs)) {
      if (ArrayBuffer.isView(data)) this.#bytes.set(name, data.byteLength);
    }
  }

  *next(): Generator<string[]> {
    let piece: string[] = [];
    let bytes = 0;
    for (const name of this.#names) {
      const own = this.#bytes.get(name) ?? this.#maximumBytes;
      if (piece.length > 0 && bytes + own > this.#maximumBytes) {
        yield piece;
        [piece, bytes] = [[], 0];
      }
      piece.push(name);
      bytes += own;
    }
    if (piece.length > 0) yield piece;
  }
}

async function writeWithOutputs(original: Model, names: readonly string[], path: string): Promise<void> {
  const model = copyModel(original);
  const wanted = new Set(names);
  const added: Value[] = [];
  for (const node of model.graph.nodes) {
    for (const value of node.outputs) {
      if (value !== undefined && wanted.has(value.name) && !value.isGraphOutput) added.push(value);
    }
  }
  model.graph.setOutputs([...model.graph.outputs, ...added]);
  await writeModel(model, path, { externalData: { file: 'model.onnx.data', minimumBytes: 1024 } });
}
