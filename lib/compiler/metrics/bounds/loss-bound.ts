/** How much worse a candidate may be on data that nobody has seen. */
import type { Metric } from '../metric.js';
import { acceleratedUpper, studentizedUpper } from './bootstrap.js';
import { clopperPearsonUpper } from './clopper-pearson.js';

export interface LossBoundOptions {
  readonly confidence: number;
  readonly seed: number;
}

export interface LossBound {
  /** Infinity where nothing can be said. */
  readonly value: number;
  readonly method: 'clopper-pearson' | 'bootstrap' | 'none';
}

/** The original's observations on the candidate's samples, or a value of the metric that the candidate is compared with. */
export type Comparison = readonly Float64Array[] | number;

/** With fewer samples that changed, resamples say more about those few than about the rest. */
const FEWEST_CHANGES = 20;
/** With fewer samples, a resample is no stand-in for the world. */
const FEWEST_SAMPLES = 20;
const RESAMPLES_OF_MEANS = 2000;
const RESAMPLES_OF_SETS = 1000;

const NOTHING: LossBound = { value: Number.POSITIVE_INFINITY, method: 'none' };

/**
 * A bound of the expected loss. Where the samples' losses are 0 and 1 it is exact; so it is, and wider than need be, where few samples
 * changed: then the share of samples that got worse is bounded, and each is taken to lose all there is to lose.
 */
export function lossBound(
  metric: Metric,
  comparison: Comparison,
  candidate: readonly Float64Array[],
  options: LossBoundOptions,
): LossBound {
  if (candidate.length === 0 || metric.form.kind === 'extreme') return NOTHING;
  return metric.form.kind === 'bounded-mean'
    ? boundOfMean(metric, metric.form, comparison, candidate, options)
    : boundOfSet(metric, comparison, candidate, options);
}

function boundOfMean(
  { better }: Metric,
  { best, worst }: { readonly best: number; readonly worst: number },
  comparison: Comparison,
  candidate: readonly Float64Array[],
  options: LossBoundOptions,
): LossBound {
  const sign = better === 'higher' ? 1 : -1;
  const before = (index: number) => (typeof comparison === 'number' ? best : (comparison[index]?.[0] ?? best));
  const losses = Float64Array.from(candidate, ([value = worst], index) => sign * (before(index) - value));
  const { value, method } = boundOfLosses(losses, Math.abs(best - worst), options);
  return { value: typeof comparison === 'number' ? value - sign * (best - comparison) : value, method };
}

/** Of the mean of losses within ±span. */
function boundOfLosses(losses: Float64Array, span: number, options: LossBoundOptions): LossBound {
  const worse = losses.filter((loss) => loss > 0).length;
  const changed = losses.filter((loss) => loss !== 0).length;
  const isAllOrNothing = losses.every((loss) => loss === 0 || loss === span);
  if (isAllOrNothing || changed < FEWEST_CHANGES) {
    return { value: span * clopperPearsonUpper(worse, losses.length, options.confidence), method: 'clopper-pearson' };
  }
  return { value: studentizedUpper(losses, { ...options, resamples: RESAMPLES_OF_MEANS }), method: 'bootstrap' };
}

function boundOfSet(
  metric: Metric,
  comparison: Comparison,
  candidate: readonly Float64Array[],
  options: LossBoundOptions,
): LossBound {
  const { form, better } = metric;
  const samples = candidate.length;
  const sign = better === 'higher' ? 1 : -1;
  const changed =
    typeof comparison === 'number'
      ? samples
      : comparison.filter((before, index) => differs(before, candidate[index])).length;
  if (form.kind === 'bounded-set' && changed < FEWEST_CHANGES) {
    return { value: form.span * clopperPearsonUpper(changed, samples, options.confidence), method: 'clopper-pearson' };
  }
  if (samples < FEWEST_SAMPLES) return NOTHING;
  const pick = (from: readonly Float64Array[], indices: readonly number[]) =>
    metric.aggregate(indices.map((index) => from[index] ?? new Float64Array()));
  const statistic = (indices: readonly number[]) =>
    sign * ((typeof comparison === 'number' ? comparison : pick(comparison, indices)) - pick(candidate, indices));
  const value = acceleratedUpper(samples, statistic, { ...options, resamples: RESAMPLES_OF_SETS });
  // What no sample showed may still happen: resamples of a set without any loss would say that nothing can be lost.
  const unseen = form.kind === 'bounded-set' ? form.span * clopperPearsonUpper(0, samples, options.confidence) : 0;
  return { value: Math.max(value, unseen), method: 'bootstrap' };
}

function differs(before: Float64Array, after: Float64Array | undefined): boolean {
  return after === undefined || before.length !== after.length || before.some((value, index) => value !== after[index]);
}
