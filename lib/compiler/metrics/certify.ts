/** Whether a budget holds, and how sure that is. */
import { clopperPearsonUpper } from './bounds/clopper-pearson.js';
import { type LossBound, lossBound } from './bounds/loss-bound.js';
import type { Budget } from './budget.js';
import type { Certificate } from './certificate.js';
import { SNR_LIMIT } from './differences.js';
import type { Metric } from './metric.js';

export interface CertifyOptions {
  /** One-sided. Default 0.95. */
  readonly confidence?: number;
  /** Of the resampling. Default 1. */
  readonly seed?: number;
  /** Made-up data certifies nothing. Default false. */
  readonly isSynthetic?: boolean;
}

/** Beyond it nobody collects samples for a certificate. */
const MOST_SAMPLES = 1e7;

/**
 * @param original observations of the original model, sample by sample
 * @param candidate of the candidate, on the same samples
 */
export function certify(
  metric: Metric,
  budget: Budget,
  original: readonly Float64Array[],
  candidate: readonly Float64Array[],
  options: CertifyOptions = {},
): Certificate {
  const { confidence = 0.95, seed = 1, isSynthetic = false } = options;
  const sign = metric.better === 'higher' ? 1 : -1;
  const before = metric.aggregate(original);
  const value = metric.aggregate(candidate);
  const limit = budget.min ?? budget.max;
  // An original that is perfect by itself does not vary: then a limit is a loss like any other.
  const isLoss = limit === undefined || before === perfectValue(metric);
  const allowedLoss = limit === undefined ? (budget.maxLoss ?? 0) : isLoss ? sign * (before - limit) : 0;
  const loss = isLoss ? sign * (before - value) : sign * (limit - value);
  const bound = lossBound(metric, isLoss ? original : limit, candidate, { confidence, seed });
  const facts = {
    budget,
    unit: metric.unit,
    original: before,
    value,
    loss: sign * (before - value),
    lossBound: bound.value,
    allowedLoss,
    confidence,
    samples: candidate.length,
    method: bound.method,
  };
  const measured = `${metric.name} ${digits(value)} (original ${digits(before)}) on ${candidate.length} samples`;
  // Not `>`: what is no number holds no budget.
  if (!keepsWithin(loss, allowedLoss)) return { ...facts, status: 'broken', reason: `${measured} breaks the budget` };
  if (isSynthetic) {
    return { ...facts, status: 'not-certified', reason: `${measured}; the data is made up and certifies nothing` };
  }
  if (keepsWithin(bound.value, allowedLoss)) {
    const sure = `with ${Math.round(confidence * 100)} % confidence the loss is at most ${digits(bound.value)} of ${digits(allowedLoss)}`;
    return { ...facts, status: 'certified', reason: `${measured}; ${sure}` };
  }
  if (metric.form.kind === 'extreme') {
    const beyond = clopperPearsonUpper(0, candidate.length, confidence);
    const share = `up to ${digits(100 * beyond)} % of inputs may exceed the limit`;
    return { ...facts, status: 'not-certified', reason: `${measured}; no sample bounds a maximum: ${share}` };
  }
  // Against a limit, counts are of what is not perfect.
  const room = limit === undefined || isLoss ? 0 : sign * (perfectValue(metric) - limit);
  const samplesNeeded = samplesFor(metric, { ...bound, value: bound.value + room }, loss + room, allowedLoss + room, {
    samples: candidate.length,
    confidence,
  });
  const advice =
    samplesNeeded === undefined ? 'no number of samples like these would do' : `about ${samplesNeeded} would do`;
  return {
    ...facts,
    status: 'not-certified',
    ...(samplesNeeded === undefined ? {} : { samplesNeeded }),
    reason: `${measured}; too few to certify the budget: ${advice}`,
  };
}

/** 1 - 0.98 is a little more than 0.02. */
const ROUNDING = 1e-9;

/** Whether a loss is no more than what is allowed, rounding aside; what is no number is not. */
export function keepsWithin(loss: number, allowed: number): boolean {
  return loss <= allowed + ROUNDING * Math.max(1, Math.abs(allowed));
}

/** What the metric of a model is against itself, or of one that makes no mistake. */
function perfectValue({ form, better }: Metric): number {
  if (form.kind === 'bounded-mean') return form.best;
  if (better === 'lower') return 0;
  return form.kind === 'unbounded' ? SNR_LIMIT : 1;
}

/** The smallest number of samples of the same kind at which the bound would hold. */
function samplesFor(
  { form }: Metric,
  bound: LossBound,
  loss: number,
  allowed: number,
  { samples, confidence }: { readonly samples: number; readonly confidence: number },
): number | undefined {
  if (!(loss < allowed * (1 - ROUNDING)) || samples === 0) return undefined;
  if (bound.method === 'bootstrap') {
    const wider = (bound.value - loss) / (allowed - loss);
    return capped(Math.ceil(samples * wider * wider));
  }
  const span =
    form.kind === 'bounded-mean' ? Math.abs(form.best - form.worst) : form.kind === 'bounded-set' ? form.span : 1;
  const share = Math.max(0, loss) / span;
  const holds = (count: number) => span * clopperPearsonUpper(Math.round(share * count), count, confidence) <= allowed;
  let high = Math.max(20, samples);
  while (!holds(high)) {
    high *= 2;
    if (high > MOST_SAMPLES) return undefined;
  }
  let low = 1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function capped(count: number): number | undefined {
  return count > MOST_SAMPLES ? undefined : count;
}

function digits(value: number): string {
  return String(Number(value.toPrecision(4)));
}
