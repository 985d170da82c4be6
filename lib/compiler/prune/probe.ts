/** Runs a model on data with values of its inside as outputs: a throw-away copy in a session of its own, one sample after the other. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSet, Feeds } from '../data/data-set.js';
import { copyModel } from '../ir/copy.js';
import type { Model } from '../ir/model.js';
import { writeModel } from '../ir/serialization/write.js';
import type { Value } from '../ir/value.js';
import { removeDeadNodes } from '../passes/remove-dead-nodes.js';
import { openSession, type RuntimeSession } from '../runtime/session.js';

/** Where the same feeds go through several sessions; kept small, since sessions hold their own copy of the weights. */
export interface Probe extends AsyncDisposable {
  /** @param names of values to fetch; default all that it was opened for */
  run(feeds: Feeds, names?: readonly string[]): Promise<Feeds>;
}

export interface ProbeSetup {
  /** Constants that become inputs, to be fed with each run: new weights need no new session then. */
  readonly asInputs?: readonly string[];
  /** Adds nodes to the copy and returns further values to fetch. */
  readonly extend?: (copy: Model, values: ReadonlyMap<string, Value>) => readonly Value[];
}

export interface ProbeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Threads inside an operator. Default 1: results do not depend on the machine. */
  readonly threads?: number;
}

/** @param names values of the main graph to fetch; what none of them needs is not computed */
export async function openProbe(
  model: Model,
  names: readonly string[],
  options: ProbeOptions = {},
  setup: ProbeSetup = {},
): Promise<Probe> {
  const copy = copyModel(model);
  const values = valuesByName(copy);
  const wanted = names.flatMap((name) => values.get(name) ?? []);
  copy.graph.setOutputs([...new Set([...wanted, ...(setup.extend?.(copy, values) ?? [])])]);
  const asInputs = new Set(setup.asInputs);
  for (const value of [...copy.graph.initializers]) {
    if (!asInputs.has(value.name)) continue;
    copy.graph.initializers.delete(value);
    copy.graph.setInputs([...copy.graph.inputs, value]);
    value.initializer = undefined;
  }
  removeDeadNodes().run(copy);
  const folder = await mkdtemp(join(tmpdir(), `cdk-onnx-prune-${process.pid}-`));
  const discard = () => rm(folder, { recursive: true, force: true });
  let session: RuntimeSession;
  try {
    const path = join(folder, 'model.onnx');
    await writeModel(copy, path, { externalData: { file: 'model.onnx.data', minimumBytes: 1024 } });
    session = await openSession(path, {
      threads: options.threads ?? 1,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (error) {
    await discard();
    throw error;
  }
  const inputs = new Set(session.inputs.map(({ name }) => name));
  return {
    async run(feeds, wantedNow) {
      const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.has(name)));
      return (await session.run(used, wantedNow)).outputs;
    },
    async [Symbol.asyncDispose]() {
      await session.close();
      await discard();
    },
  };
}

function valuesByName(model: Model): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const value of model.graph.inputs) values.set(value.name, value);
  for (const node of model.graph.nodes) {
    for (const value of node.outputs) if (value !== undefined) values.set(value.name, value);
  }
  return values;
}

/**
 * Feeds of every run of a data set, in order. What a sequence carries from step to step is computed by `model` itself.
 * @param maximum runs; the samples are taken evenly from the whole set
 */
export async function* runsOf(
  model: Model,
  data: DataSet,
  maximum: number,
  options: ProbeOptions = {},
): AsyncGenerator<Feeds> {
  const stride = Math.max(1, data.ids.length / Math.max(1, maximum));
  const chosen = Array.from(
    { length: Math.min(maximum, data.ids.length) },
    (_, index) => data.ids[Math.floor(index * stride)] ?? '',
  );
  const carried = Object.entries(data.carried);
  await using carrier =
    carried.length === 0
      ? undefined
      : await openProbe(
          model,
          carried.map(([, output]) => output),
          options,
        );
  let runs = 0;
  for await (const sample of data.read(chosen)) {
    let state: Record<string, Feeds[string]> = {};
    for (const step of sample.steps) {
      if (runs++ >= maximum) return;
      options.signal?.throwIfAborted();
      const feeds = { ...step, ...state };
      yield feeds;
      if (carrier === undefined) continue;
      const outputs = await carrier.run(feeds);
      state = Object.fromEntries(
        carried.flatMap(([input, output]) => {
          const value = outputs[output];
          return value === undefined ? [] : [[input, value]];
        }),
      );
    }
  }
}

/** Runs that are gone through many times: decoded once as long as they fit into memory, else each time anew. */
export class CalibrationRuns {
  /** At most this many, and exactly as many where no sample has several steps. */
  readonly count: number;
  readonly #start: () => AsyncGenerator<Feeds>;
  #kept: Feeds[] | undefined;

  constructor(model: Model, data: DataSet, maximum: number, options: ProbeOptions = {}) {
    this.count = Math.max(1, Math.min(maximum, data.ids.length));
    this.#start = () => runsOf(model, data, this.count, options);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Feeds> {
    if (this.#kept !== undefined) {
      yield* this.#kept;
      return;
    }
    let kept: Feeds[] | undefined = [];
    let bytes = 0;
    for await (const feeds of this.#start()) {
      bytes += bytesOf(feeds);
      if (bytes > MAXIMUM_KEPT_BYTES) kept = undefined;
      kept?.push(feeds);
      yield feeds;
    }
    this.#kept = kept;
  }
}

const MAXIMUM_KEPT_BYTES = 64_000_000;

function bytesOf(feeds: Feeds): number {
  return Object.values(feeds).reduce(
    (sum, { data }) =>
      sum + ('byteLength' in data ? data.byteLength : data.reduce((all, text) => all + text.length, 0)),
    0,
  );
}
