/**
 * What the values of a model take on, over a data set that is read once, sample by sample, and kept nowhere: the session's process reduces
 * each run to extremes and histograms.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../../../errors.js';
import type { DataSet, Feeds, Sample } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import { writeModel } from '../../ir/serialization/write.js';
import { openSession, type RuntimeSession } from '../../runtime/session.js';
import { Calibration } from './calibration.js';
import { observeValues, type RefusedValue } from './observed-model.js';
import type { RangeMethod } from './range.js';

export interface CalibrateOptions {
  /** Names of float32 values of the main graph; what cannot be calibrated is in `Calibration.refused`, by name. */
  readonly values: readonly string[];
  /** How ranges will be chosen: `min-max` alone needs no histograms. Default: all. */
  readonly methods?: readonly RangeMethod['kind'][];
  /** Which samples. Default: all. */
  readonly ids?: readonly string[];
  /**
   * Elements of each value that enter its histogram in one run, spread evenly over it; extremes are of all elements. Default: so many that
   * those of all values have 1,048,576 elements, at least 1,024 and at most 65,536.
   */
  readonly maxElements?: number;
  /** Threads inside an operator. Default: as many as the machine has. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, of: number) => void;
}

/** 4 MiB of float32: what the observers' outputs may have in one run. */
const OBSERVED_ELEMENTS = 2 ** 20;
/** Steps of one sample that are sent at once. */
const BATCH_BYTES = 8 * 2 ** 20;
/** Samples that are sent at once where none takes a state from the one before: small ones, and few enough to show progress. */
const BATCH_SAMPLES = 16;
const BATCH_SAMPLES_BYTES = 2 ** 19;
/** The lowest version of the standard operators whose Slice and Max serve here. */
const LOWEST_OPSET = 11;
/** Threads that wait by spinning take the core on which the next sample is decoded. */
const SETTINGS = { configEntries: { 'session.intra_op.allow_spinning': '0' } };
/** Weights smaller than this stay in the temporary model file. */
const EXTERNAL_FROM_BYTES = 1024;

/**
 * @param model is not changed; types must be inferred
 * @throws ConfigurationError CALIBRATION_EMPTY, CALIBRATION_OPSET, DATA_…; RuntimeError where onnxruntime refuses the model or a sample
 */
export async function calibrate(model: Model, data: DataSet, options: CalibrateOptions): Promise<Calibration> {
  const { signal, methods = ['min-max', 'percentile', 'entropy', 'mse'] } = options;
  const ids = options.ids ?? data.ids;
  if (ids.length === 0) {
    throw new ConfigurationError({
      code: 'CALIBRATION_EMPTY',
      message: 'There are no samples to calibrate with.',
      advice: 'Put data for calibration into the folder that `optimize.calibration` names.',
    });
  }
  if (model.opset < LOWEST_OPSET) {
    throw new ConfigurationError({
      code: 'CALIBRATION_OPSET',
      message: `The model is written against operator set ${model.opset}; calibration needs ${LOWEST_OPSET}.`,
      advice: 'Convert the model first: the lossless passes do.',
    });
  }
  const share = Math.floor(OBSERVED_ELEMENTS / Math.max(1, options.values.length));
  const maxElements = options.maxElements ?? Math.min(65_536, Math.max(1024, share));
  const observed = observeValues(model, {
    values: options.values,
    keptOutputs: Object.values(data.carried),
    maxElements: methods.some((method) => method !== 'min-max') ? maxElements : 0,
  });
  if (observed.outputs.size === 0) return new Calibration([], observed.refused, ids.length, 0);
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-calibration-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeModel(observed.model, path, {
      externalData: { file: 'model.onnx.data', minimumBytes: EXTERNAL_FROM_BYTES },
    });
    await using session = await openSession(path, {
      threads: options.threads ?? availableParallelism(),
      settings: SETTINGS,
      ...(signal === undefined ? {} : { signal }),
    });
    const sender = new StepSender(session, data.carried, [...observed.outputs.keys()]);
    let done = 0;
    for await (const { steps } of ahead(data.read(ids))) {
      signal?.throwIfAborted();
      await sender.add(steps);
      done++;
      options.onProgress?.(done, ids.length);
    }
    await sender.flush();
    const { values, peakBytes } = await session.statistics();
    const refused: RefusedValue[] = [...observed.refused];
    const known = [...observed.outputs].flatMap(([output, value]) => {
      const statistics = values[output];
      if (statistics === undefined) return [];
      const { min, max, notFinite } = statistics;
      if (min > max) refused.push({ value, reason: 'it had no elements' });
      else if (notFinite > 0 || !Number.isFinite(min) || !Number.isFinite(max)) {
        refused.push({ value, reason: 'it was infinite or no number' });
      } else return [[value, statistics] as const];
      return [];
    });
    return new Calibration(known, refused, done, peakBytes);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Sends steps in batches: a message takes longer than many a model. */
class StepSender {
  readonly #session: RuntimeSession;
  readonly #carried: DataSet['carried'];
  readonly #observed: readonly string[];
  #batch: Feeds[] = [];
  #bytes = 0;
  #samples = 0;
  #continues = false;

  constructor(session: RuntimeSession, carried: DataSet['carried'], observed: readonly string[]) {
    this.#session = session;
    this.#carried = carried;
    this.#observed = observed;
  }

  /** The steps of one sample. */
  async add(steps: readonly Feeds[]): Promise<void> {
    for (const step of steps) {
      this.#batch.push(step);
      for (const { data } of Object.values(step)) {
        this.#bytes += 'byteLength' in data ? data.byteLength : data.length * 64;
      }
      if (this.#bytes >= BATCH_BYTES) await this.flush();
    }
    this.#samples++;
    const isSequence = Object.keys(this.#carried).length > 0;
    const isFull = this.#samples >= BATCH_SAMPLES || this.#bytes >= BATCH_SAMPLES_BYTES;
    if (isSequence || isFull) await this.flush();
    // The next sample starts anew.
    this.#continues = false;
  }

  async flush(): Promise<void> {
    if (this.#batch.length > 0) {
      await this.#session.observe({
        steps: this.#batch,
        carried: this.#carried,
        continues: this.#continues,
        observed: this.#observed,
      });
    }
    this.#continues = true;
    this.#batch = [];
    this.#bytes = 0;
    this.#samples = 0;
  }
}

/** Decodes the next sample while the one before is run. */
async function* ahead(samples: AsyncIterable<Sample>): AsyncGenerator<Sample> {
  const iterator = samples[Symbol.asyncIterator]();
  const nextOf = () => {
    const next = iterator.next();
    // Awaited a round later: a failure in the meantime must not count as unhandled.
    next.catch(() => undefined);
    return next;
  };
  try {
    let next = nextOf();
    for (let current = await next; current.done !== true; current = await next) {
      next = new Promise((resolve, reject) => setImmediate(() => nextOf().then(resolve, reject)));
      next.catch(() => undefined);
      yield current.value;
    }
  } finally {
    await iterator.return?.();
  }
}
