/** A model over a recorded set: what each metric observes of every sample. */
import type { SessionSettings } from '../../artifact/manifest.js';
import type { Model } from '../ir/model.js';
import { openSession } from '../runtime/session.js';
import type { Metric } from './metric.js';
import { asModelFile } from './model-file.js';
import type { RecordedSample, RecordedSet } from './recorded-set.js';
import { runSample } from './run-sample.js';

export interface EvaluateOptions {
  readonly metrics: readonly Metric[];
  /** Default: all of the set. */
  readonly ids?: readonly string[] | undefined;
  /** Default: everything that onnxruntime optimizes. */
  readonly settings?: SessionSettings | undefined;
  /** Child processes that share the samples, each with one thread. Default 1. */
  readonly sessions?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface Evaluation {
  readonly ids: readonly string[];
  /** Per sample, where it comes from. */
  readonly groups: readonly (string | undefined)[];
  /** By the metric's name, an observation per sample. */
  readonly observations: ReadonlyMap<string, readonly Float64Array[]>;
  /** Wall time of each sample's runs, milliseconds. Not a benchmark: other processes run beside it. */
  readonly milliseconds: Float64Array;
}

/** @throws RuntimeError where the model cannot be opened or run, ConfigurationError for a label that a metric lacks */
export async function evaluate(model: Model | string, set: RecordedSet, options: EvaluateOptions): Promise<Evaluation> {
  const { ids = set.ids, settings = {}, signal } = options;
  await using file = await asModelFile(model);
  const results: Observed[] = [];
  const samples = set.read(ids);
  let [position, done] = [0, 0];
  // One at a time asks for the next sample: a generator that is asked twice answers in order.
  const work = async () => {
    await using session = await openSession(file.path, { settings, ...(signal === undefined ? {} : { signal }) });
    for (let next = await samples.next(); next.done !== true; next = await samples.next()) {
      const at = position++;
      const { sample } = next.value;
      const { outputs, milliseconds } = await runSample(session, sample, set.data.carried);
      results[at] = { ...observe(options.metrics, next.value, outputs), milliseconds };
      options.onProgress?.(++done, ids.length);
    }
  };
  const count = Math.max(1, Math.min(options.sessions ?? 1, ids.length));
  const settled = await Promise.allSettled(Array.from({ length: count }, work));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return evaluationOf(options.metrics, results);
}

/** What the metrics observe of the original itself. */
export async function evaluateOriginal(
  set: RecordedSet,
  metrics: readonly Metric[],
  ids: readonly string[] = set.ids,
): Promise<Evaluation> {
  const results: Observed[] = [];
  for await (const recorded of set.read(ids)) {
    results.push({ ...observe(metrics, recorded, recorded.reference), milliseconds: 0 });
  }
  return evaluationOf(metrics, results);
}

interface Observed {
  readonly id: string;
  readonly group: string | undefined;
  readonly observations: readonly Float64Array[];
  readonly milliseconds: number;
}

function observe(
  metrics: readonly Metric[],
  { sample, reference }: RecordedSample,
  outputs: RecordedSample['reference'],
) {
  const observations = metrics.map((metric) => metric.observe(sample, outputs, reference));
  return { id: sample.id, group: sample.group, observations };
}

function evaluationOf(metrics: readonly Metric[], results: readonly Observed[]): Evaluation {
  const of = (index: number) => results.map(({ observations }) => observations[index] ?? new Float64Array());
  return {
    ids: results.map(({ id }) => id),
    groups: results.map(({ group }) => group),
    observations: new Map(metrics.map(({ name }, index) => [name, of(index)])),
    milliseconds: Float64Array.from(results, ({ milliseconds }) => milliseconds),
  };
}
