/** A histogram as the methods that choose ranges read it: its occupied bins, by their middles. */
import type { ValueStatistics } from '../../runtime/value-statistics.js';

export interface Distribution {
  /** Width of a bin. */
  readonly width: number;
  /** Middles of occupied bins, ascending; a mass at exactly 0 is not among them. */
  readonly middles: Float64Array;
  readonly counts: Float64Array;
  /** Elements that are exactly 0, which every quantization keeps. */
  readonly zeros: number;
  /** All finite elements. */
  readonly total: number;
  readonly min: number;
  readonly max: number;
}

export function distributionOf({ histogram, min, max, zeros, observed, notFinite }: ValueStatistics): Distribution {
  const width = 2 ** histogram.exponent;
  const occupied: number[] = [];
  for (const [index, count] of histogram.counts.entries()) if (count > 0) occupied.push(index);
  return {
    width,
    // Bins at the ends reach over what was seen.
    middles: Float64Array.from(occupied, (index) =>
      Math.min(Math.max((histogram.first + index + 0.5) * width, min), max),
    ),
    counts: Float64Array.from(occupied, (index) => histogram.counts[index] ?? 0),
    zeros,
    total: observed - notFinite,
    min,
    max,
  };
}
