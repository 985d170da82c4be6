/** One-sided upper bounds by resampling, the same for a seed (Efron and Tibshirani, An Introduction to the Bootstrap, 1993). */
import { randomNumbers } from '../../runtime/sample-inputs.js';
import { normalCdf, normalQuantile } from './normal.js';

export interface BootstrapOptions {
  /** One-sided, for example 0.95. */
  readonly confidence: number;
  readonly seed: number;
  readonly resamples: number;
}

/**
 * Of a mean, by the studentized bootstrap: exact to the second order, also for skewed values. Infinity where the values do not vary in a
 * resample often enough to say.
 */
export function studentizedUpper(values: Float64Array, { confidence, seed, resamples }: BootstrapOptions): number {
  const count = values.length;
  const random = randomNumbers(seed);
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / count;
  // Around the mean, so that sums of squares lose no digits.
  const centred = values.map((value) => value - mean);
  let squares = 0;
  for (const value of centred) squares += value * value;
  if (squares === 0) return mean;
  const ratios = new Float64Array(resamples);
  for (let round = 0; round < resamples; round++) {
    let [otherSum, otherSquares] = [0, 0];
    for (let index = 0; index < count; index++) {
      const value = centred[Math.floor(random() * count)] ?? 0;
      otherSum += value;
      otherSquares += value * value;
    }
    // The mean's deviation, but for a divisor that cancels out.
    const spread = Math.sqrt(Math.max(0, otherSquares - (otherSum * otherSum) / count));
    // A resample without spread below the mean says that the truth may be anywhere above.
    ratios[round] = spread > 0 ? otherSum / count / spread : otherSum < 0 ? Number.NEGATIVE_INFINITY : 0;
  }
  ratios.sort();
  const ratio = ratios[Math.floor((1 - confidence) * resamples)] ?? Number.NEGATIVE_INFINITY;
  return mean - ratio * Math.sqrt(squares);
}

/**
 * Of any statistic of a set, bias-corrected and accelerated (BCa).
 * @param statistic of the samples with these indices, which may repeat
 */
export function acceleratedUpper(
  count: number,
  statistic: (indices: readonly number[]) => number,
  { confidence, seed, resamples }: BootstrapOptions,
): number {
  const random = randomNumbers(seed);
  const all = Array.from({ length: count }, (_, index) => index);
  const observed = statistic(all);
  const values = Float64Array.from({ length: resamples }, () => statistic(all.map(() => Math.floor(random() * count))));
  values.sort();
  // Values that equal the observed one count half: sets of few distinct values have many of them.
  const below = values.reduce((sum, value) => sum + (value < observed ? 1 : value === observed ? 0.5 : 0), 0);
  const clamped = Math.min(Math.max(below, 0.5), resamples - 0.5) / resamples;
  const bias = normalQuantile(clamped);
  const shift = bias + normalQuantile(confidence);
  const level = normalCdf(bias + shift / (1 - accelerationOf(all, statistic) * shift));
  return values[Math.min(resamples - 1, Math.max(0, Math.ceil(level * resamples) - 1))] ?? observed;
}

/** At most this many groups are left out in turn: a statistic of thousands of samples is too slow for one each. */
const JACKKNIFE_GROUPS = 200;

function accelerationOf(all: readonly number[], statistic: (indices: readonly number[]) => number): number {
  const groups = Math.min(JACKKNIFE_GROUPS, all.length);
  const values = Float64Array.from({ length: groups }, (_, group) =>
    statistic(all.filter((index) => index % groups !== group)),
  );
  const mean = values.reduce((sum, value) => sum + value, 0) / groups;
  let [squares, cubes] = [0, 0];
  for (const value of values) {
    squares += (mean - value) ** 2;
    cubes += (mean - value) ** 3;
  }
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}
