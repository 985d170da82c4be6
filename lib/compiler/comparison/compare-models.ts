/** Any two models on the same samples: how far the second strays from the first, what it weighs, how long it takes. */
import { ConfigurationError } from '../../errors.js';
import type { DataSet, Feeds, Sample } from '../data/data-set.js';
import type { Metric, Outputs } from '../metrics/metric.js';
import { runSample } from '../metrics/run-sample.js';
import { cpuName } from '../runtime/host.js';
import { openSession, type RuntimeSession } from '../runtime/session.js';
import type { ComparableModel } from './comparable-model.js';
import { type OutputComparison, OutputDifferences } from './output-differences.js';
import { type ModelTimes, percentiles, timeModels } from './timing.js';

export interface CompareOptions {
  readonly data: DataSet;
  /** Also judged by it; samples need labels where it does. */
  readonly metric?: Metric;
  /** Samples at most, the first ones. Default all. */
  readonly samples?: number;
  /** Runs of each model for its latency. Default 100; 0 measures none. */
  readonly runs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (stage: 'samples' | 'latency', done: number, of: number) => void;
}

export interface ModelFigures {
  readonly model: string;
  readonly bytes: number;
  /** Medians, ms, one thread; null where they were not measured. */
  readonly latency: { readonly run: number; readonly open: number; readonly firstRun: number } | null;
}

export interface Comparison {
  /** The first one is the reference. */
  readonly models: readonly [ModelFigures, ModelFigures];
  readonly cpu: string;
  readonly samples: number;
  readonly isSynthetic: boolean;
  readonly outputs: readonly OutputComparison[];
  /** Outputs that only one of them has. */
  readonly missing: readonly string[];
  readonly metric: { readonly name: string; readonly unit: string; readonly values: readonly [number, number] } | null;
}

/**
 * Both see the inputs that they ask for; an input that only one of them has must be in the data.
 * @throws ConfigurationError COMPARE_OUTPUTS; RuntimeError where a model cannot run
 */
export async function compareModels(
  reference: ComparableModel,
  candidate: ComparableModel,
  options: CompareOptions,
): Promise<Comparison> {
  const { data, metric, signal, onProgress } = options;
  const ids = data.ids.slice(0, options.samples);
  const during = signal === undefined ? {} : { signal };
  const differences = new OutputDifferences();
  const observations: [Float64Array[], Float64Array[]] = [[], []];
  let first: Sample | undefined;
  let missing: readonly string[] = [];
  let inputs: readonly (readonly string[])[] = [];
  {
    await using a = await openSession(reference.path, { settings: reference.settings, ...during });
    await using b = await openSession(candidate.path, { settings: candidate.settings, ...during });
    inputs = [namesOf(a), namesOf(b)];
    missing = onlyInOne(a, b);
    let done = 0;
    for await (const sample of data.read(ids)) {
      first ??= sample;
      const expected = (await runSample(a, withInputs(sample, namesOf(a)), data.carried)).outputs;
      const actual = (await runSample(b, withInputs(sample, namesOf(b)), data.carried)).outputs;
      differences.add(sample, actual, shared(expected, missing));
      if (metric !== undefined) {
        observations[0].push(metric.observe(sample, expected, expected));
        observations[1].push(metric.observe(sample, actual, expected));
      }
      done += 1;
      onProgress?.('samples', done, ids.length);
    }
  }
  const runs = options.runs ?? 100;
  const feeds = inputs.map((names) => firstFeeds(first, names));
  const times =
    runs === 0 || first === undefined
      ? undefined
      : await timeModels([reference, candidate], feeds, {
          runs,
          ...during,
          onProgress: (count, of) => onProgress?.('latency', count, of),
        });
  return {
    models: [figures(reference, times?.[0]), figures(candidate, times?.[1])],
    cpu: cpuName(),
    samples: ids.length,
    isSynthetic: data.isSynthetic,
    outputs: differences.result(),
    missing,
    metric:
      metric === undefined
        ? null
        : {
            name: metric.name,
            unit: metric.unit,
            values: [metric.aggregate(observations[0]), metric.aggregate(observations[1])],
          },
  };
}

function figures({ label, bytes }: ComparableModel, times: ModelTimes | undefined): ModelFigures {
  const median = (values: readonly number[]) => percentiles(values).p50;
  const latency =
    times === undefined ? null : { run: median(times.run), open: median(times.open), firstRun: median(times.firstRun) };
  return { model: label, bytes, latency };
}

function namesOf(session: RuntimeSession): string[] {
  return session.inputs.map(({ name }) => name);
}

function onlyInOne(a: RuntimeSession, b: RuntimeSession): string[] {
  const [first, second] = [a, b].map((session) => session.outputs.map(({ name }) => name));
  const common = first?.filter((name) => second?.includes(name)) ?? [];
  if (common.length === 0) {
    throw new ConfigurationError({
      code: 'COMPARE_OUTPUTS',
      message: `The models have no output in common: ${first?.join(', ')}; and ${second?.join(', ')}.`,
      advice: 'Compare models that come from the same source; outputs are matched by name.',
    });
  }
  return [...(first ?? []), ...(second ?? [])].filter((name) => !common.includes(name));
}

function withInputs(sample: Sample, names: readonly string[]): Sample {
  return { ...sample, steps: sample.steps.map((step) => pick(step, names)) };
}

function firstFeeds(sample: Sample | undefined, names: readonly string[]): Feeds {
  return pick(sample?.steps[0] ?? {}, names);
}

function pick(feeds: Feeds, names: readonly string[]): Feeds {
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => names.includes(name)));
}

function shared(outputs: Outputs, missing: readonly string[]): Outputs {
  return outputs.map((step) => Object.fromEntries(Object.entries(step).filter(([name]) => !missing.includes(name))));
}
