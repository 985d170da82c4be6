/**
 * The range whose integers lose the least information: Kullback-Leibler divergence between a distribution whose outliers were moved to the
 * range's ends, and what is left of the distribution inside when it has one height per integer. After Migacz, "8-bit Inference with TensorRT"
 * (2017). Other than onnxruntime's: exact zeros are left out, a range with one sign has all integers for that sign, and there are as many
 * heights as integers and not always 128.
 */
import type { Distribution } from './distribution.js';
import type { ValueRange } from './range.js';

const CANDIDATES = 100;
/** Height of what is empty after quantization and was not before; onnxruntime's too. */
const EPSILON = 1e-4;

/** @param levels how many integers there are; above 256 nothing is lost, and the range is whole */
export function entropyRange(distribution: Distribution, levels: number): ValueRange {
  const { min, max, width, middles } = distribution;
  const whole = { min, max };
  if (levels > 256 || middles.length === 0) return whole;
  const largest = Math.max(-min, max);
  // Below one bin an integer there is nothing to compare.
  const narrowest = Math.min(largest, (levels * width) / (min < 0 && max > 0 ? 2 : 1));
  let best = whole;
  let least = Number.POSITIVE_INFINITY;
  for (let candidate = CANDIDATES; candidate >= 0; candidate--) {
    const limit = narrowest + ((largest - narrowest) * candidate) / CANDIDATES;
    const range = { min: Math.max(min, -limit), max: Math.min(max, limit) };
    const found = divergence(distribution, range, levels);
    if (found < least) {
      least = found;
      best = range;
    }
  }
  return best;
}

function divergence({ middles, counts }: Distribution, range: ValueRange, levels: number): number {
  const low = Math.min(range.min, 0);
  const step = (Math.max(range.max, 0) - low) / levels;
  const first = lowerBound(middles, range.min);
  const end = lowerBound(middles, range.max + step / 1024);
  if (end <= first) return Number.POSITIVE_INFINITY;
  const cellOf = (index: number) =>
    Math.min(levels - 1, Math.max(0, Math.floor(((middles[index] as number) - low) / step)));
  const sums = new Float64Array(levels);
  const occupied = new Float64Array(levels);
  let inside = 0;
  for (let index = first; index < end; index++) {
    const cell = cellOf(index);
    sums[cell] = (sums[cell] as number) + (counts[index] as number);
    occupied[cell] = (occupied[cell] as number) + 1;
    inside += counts[index] as number;
  }
  let below = 0;
  for (let index = 0; index < first; index++) below += counts[index] as number;
  let above = 0;
  for (let index = end; index < middles.length; index++) above += counts[index] as number;
  const total = inside + below + above;
  let sum = 0;
  for (let index = first; index < end; index++) {
    const outliers = (index === first ? below : 0) + (index === end - 1 ? above : 0);
    const before = ((counts[index] as number) + outliers) / total;
    const cell = cellOf(index);
    const after = Math.max((sums[cell] as number) / (occupied[cell] as number) / inside, EPSILON / levels);
    sum += before * Math.log(before / after);
  }
  return sum;
}

/** The first index whose number is not below `limit`. */
function lowerBound(numbers: Float64Array, limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
