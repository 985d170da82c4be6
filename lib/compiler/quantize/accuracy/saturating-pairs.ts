/**
 * Integers of one row of weights that no product with uint8 inputs makes saturate on x64 without VNNI: there, two neighbouring products
 * are added in 16 bits.
 */
import { roundHalfToEven } from '../parameters/rounding.js';

/**
 * The most that two neighbours of one sign may add up to: 255 · 128 fits int16, 255 · 129 does not, nor does -255 · 129. Of opposite signs
 * they cannot overflow.
 */
export const LARGEST_PAIR = 128;
const LOWEST = -128;
const HIGHEST = 127;
/** Scales that are tried between the row's own and the one that needs no other change. */
const STEPS = 16;

export interface GuardedRow {
  /** float32; that of before where only single pairs had to give way. */
  readonly scale: number;
  readonly integers: Int8Array;
}

/** The largest sum of magnitudes of neighbours of one sign, at positions 2i and 2i + 1 of `integers`. */
export function largestPair(integers: ArrayLike<number>): number {
  let largest = 0;
  for (let k = 0; k + 1 < integers.length; k += 2) {
    const [a, b] = [integers[k] ?? 0, integers[k + 1] ?? 0];
    if (a > 0 === b > 0) largest = Math.max(largest, Math.abs(a + b));
  }
  return largest;
}

/**
 * The integers nearest to `weights` that cannot saturate. Between raising the scale until every pair fits, and keeping it and bending the
 * pairs that do not, what leaves the smallest squared error is chosen.
 * @param scale float32, of `integers`
 * @returns undefined where nothing saturates
 */
export function guardRow(weights: Float32Array, integers: Int8Array, scale: number): GuardedRow | undefined {
  const largest = largestPair(integers);
  if (largest <= LARGEST_PAIR) return undefined;
  const kept = Int8Array.from(integers);
  bendPairs(weights, kept, scale);
  let best: GuardedRow = { scale, integers: kept };
  let smallest = squaredError(weights, kept, scale);
  for (let step = 1; step <= STEPS; step++) {
    const factor = 1 + ((largest / LARGEST_PAIR - 1) * step) / STEPS;
    const raised = Math.fround(scale * factor);
    const candidate = Int8Array.from(weights, (weight) =>
      Math.max(LOWEST, Math.min(roundHalfToEven(Math.fround(weight / raised)), HIGHEST)),
    );
    bendPairs(weights, candidate, raised);
    const error = squaredError(weights, candidate, raised);
    if (error < smallest) {
      smallest = error;
      best = { scale: raised, integers: candidate };
    }
  }
  return best;
}

/** Takes from each pair that is too large what it has too much, so that the weights stay as near as they can. */
function bendPairs(weights: Float32Array, integers: Int8Array, scale: number): void {
  for (let k = 0; k + 1 < integers.length; k += 2) {
    const [a, b] = [integers[k] ?? 0, integers[k + 1] ?? 0];
    if (a > 0 !== b > 0 || Math.abs(a + b) <= LARGEST_PAIR) continue;
    const sign = a > 0 ? 1 : -1;
    const [x, y] = [(sign * (weights[k] ?? 0)) / scale, (sign * (weights[k + 1] ?? 0)) / scale];
    const first = Math.max(1, Math.min(roundHalfToEven((LARGEST_PAIR + x - y) / 2), HIGHEST));
    integers[k] = sign * first;
    integers[k + 1] = sign * (LARGEST_PAIR - first);
  }
}

function squaredError(weights: Float32Array, integers: Int8Array, scale: number): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += ((weights[k] ?? 0) - (integers[k] ?? 0) * scale) ** 2;
  return sum;
}
