/**
 * Samples with what the original model answers to them. A search reads them dozens of times: decoded samples and outputs lie in a temporary
 * folder, as far as it may grow; the rest is decoded and computed anew. One sample is in memory at a time.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { SessionSettings } from '../../artifact/manifest.js';
import type { DataSet, Sample } from '../data/data-set.js';
import type { Model } from '../ir/model.js';
import { openSession, type RuntimeSession } from '../runtime/session.js';
import type { Outputs } from './metric.js';
import { asModelFile, type ModelFile } from './model-file.js';
import { runSample } from './run-sample.js';

export interface RecordOptions {
  /** Those of the original's sessions. Default: what onnxruntime optimizes without changing results by more than rounding. */
  readonly settings?: SessionSettings | undefined;
  /** Default: all. */
  readonly ids?: readonly string[] | undefined;
  /** How large the temporary folder may grow, bytes. Default 1 GB. */
  readonly maximumBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface RecordedSample {
  readonly sample: Sample;
  readonly reference: Outputs;
}

const MAXIMUM_BYTES = 1e9;

export class RecordedSet implements AsyncDisposable {
  readonly data: DataSet;
  readonly ids: readonly string[];
  readonly #folder: string;
  readonly #stored = new Map<string, string>();
  readonly #original: ModelFile;
  readonly #open: () => Promise<RuntimeSession>;
  #session: RuntimeSession | undefined;
  #bytes = 0;

  private constructor(
    data: DataSet,
    ids: readonly string[],
    folder: string,
    original: ModelFile,
    options: RecordOptions,
  ) {
    this.data = data;
    this.ids = ids;
    this.#folder = folder;
    this.#original = original;
    const { settings = { graphOptimizationLevel: 'basic' }, signal } = options;
    this.#open = () => openSession(original.path, { settings, ...(signal === undefined ? {} : { signal }) });
  }

  /** Runs the original once over all samples. The caller disposes of the set. */
  static async record(original: Model | string, data: DataSet, options: RecordOptions = {}): Promise<RecordedSet> {
    const ids = options.ids ?? data.ids;
    const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-samples-'));
    const file = await asModelFile(original);
    const set = new RecordedSet(data, ids, folder, file, options);
    try {
      let done = 0;
      for await (const recorded of set.#compute(ids)) {
        await set.#store(recorded, options.maximumBytes ?? MAXIMUM_BYTES);
        options.onProgress?.(++done, ids.length);
      }
      await set.#closeSession();
      return set;
    } catch (error) {
      await set[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** In the order of `ids`. Default all. */
  async *read(ids: readonly string[] = this.ids): AsyncGenerator<RecordedSample> {
    for (const id of ids) {
      const file = this.#stored.get(id);
      if (file !== undefined) yield deserialize(await readFile(file)) as RecordedSample;
      else yield* this.#compute([id]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeSession();
    await this.#original[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async *#compute(ids: readonly string[]): AsyncGenerator<RecordedSample> {
    this.#session ??= await this.#open();
    for await (const sample of this.data.read(ids)) {
      const { outputs } = await runSample(this.#session, sample, this.data.carried);
      yield { sample, reference: outputs };
    }
  }

  async #store(recorded: RecordedSample, maximumBytes: number): Promise<void> {
    const bytes = serialize(recorded);
    if (this.#bytes + bytes.byteLength > maximumBytes) return;
    this.#bytes += bytes.byteLength;
    const file = join(this.#folder, String(this.#stored.size));
    await writeFile(file, bytes);
    this.#stored.set(recorded.sample.id, file);
  }

  async #closeSession(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }
}
