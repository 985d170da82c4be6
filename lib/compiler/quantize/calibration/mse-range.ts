/** The range whose integers stand for a distribution with the least mean squared error. */
import type { Distribution } from './distribution.js';
import type { ValueRange } from './range.js';

/** How far the first search narrows a range, and in how many steps. */
const NARROWEST = 1 / 64;
const COARSE_STEPS = 48;
/** Factors that the second search tries on either end, coarse to fine. */
const REFINEMENTS = [0.85, 0.93, 0.97, 0.99];

/** @param levels how many integers there are */
export function mseRange(distribution: Distribution, levels: number): ValueRange {
  const { min, max } = distribution;
  const error = (range: ValueRange) => quantizationError(distribution, range, levels);
  let best: ValueRange = { min, max };
  let least = error(best);
  const consider = (range: ValueRange): boolean => {
    const found = error(range);
    if (!(found < least)) return false;
    least = found;
    best = range;
    return true;
  };
  for (let step = 1; step <= COARSE_STEPS; step++) {
    const factor = NARROWEST ** (step / COARSE_STEPS);
    consider({ min: min * factor, max: max * factor });
  }
  for (const factor of REFINEMENTS) {
    let improved = true;
    while (improved) {
      improved = false;
      for (const change of [factor, 1 / factor]) {
        if (best.min < 0) improved = consider({ min: Math.max(min, best.min * change), max: best.max }) || improved;
        if (best.max > 0) improved = consider({ min: best.min, max: Math.min(max, best.max * change) }) || improved;
      }
    }
  }
  return best;
}

/** Σ (x - quantized x)² over the elements, with 0 in the range and zero points rounded as quantization does. */
export function quantizationError(
  { middles, counts, width }: Distribution,
  { min, max }: ValueRange,
  levels: number,
): number {
  const low = Math.min(min, 0);
  const high = Math.max(max, 0);
  const scale = (high - low) / (levels - 1);
  if (!(scale > 0)) return Number.POSITIVE_INFINITY;
  const zeroPoint = Math.round(-low / scale);
  const lowest = -zeroPoint * scale;
  const highest = (levels - 1 - zeroPoint) * scale;
  // Where bins are wider than steps their middles say nothing of rounding: its error is then uniform.
  const rounding = scale < 2 * width ? (scale * scale) / 12 : undefined;
  let sum = 0;
  for (let index = 0; index < middles.length; index++) {
    const x = middles[index] as number;
    const count = counts[index] as number;
    if (x < lowest) sum += count * (x - lowest) ** 2;
    else if (x > highest) sum += count * (x - highest) ** 2;
    else sum += count * (rounding ?? (x - Math.round(x / scale) * scale) ** 2);
  }
  return sum;
}
