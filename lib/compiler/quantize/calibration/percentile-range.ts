/** Cuts off equal shares of a distribution below and above. */
import type { Distribution } from './distribution.js';
import type { ValueRange } from './range.js';

/** What is left of `percentile` per cent of the elements, interpolated inside bins; 100 leaves everything. */
export function percentileRange(distribution: Distribution, percentile: number): ValueRange {
  const { min, max, total } = distribution;
  const share = (total * (100 - percentile)) / 200;
  if (share <= 0) return { min, max };
  const low = cut(distribution, share, 1);
  const high = cut(distribution, share, -1);
  return { min: Math.max(min, Math.min(low, max)), max: Math.min(max, Math.max(high, min)) };
}

/** Where `share` elements lie below (`direction` 1) or above (-1). */
function cut({ middles, counts, width, zeros }: Distribution, share: number, direction: 1 | -1): number {
  let passed = 0;
  let zerosPassed = false;
  const last = middles.length - 1;
  for (let step = 0; step <= last; step++) {
    const index = direction === 1 ? step : last - step;
    const middle = middles[index] as number;
    if (!zerosPassed && middle * direction > 0) {
      zerosPassed = true;
      passed += zeros;
      if (passed >= share) return 0;
    }
    const count = counts[index] as number;
    if (passed + count >= share) return middle + direction * ((share - passed) / count - 0.5) * width;
    passed += count;
  }
  return 0;
}
