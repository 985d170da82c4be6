import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planRanges } from '../../../../functions/predict/weights/range-plan.js';

describe('the plan of ranges', () => {
  test('covers every byte once, in order, in ranges of one size but the last', () => {
    const sizes = fc.record({
      count: fc.nat({ max: 500 }),
      rangeBytes: fc.integer({ min: 1, max: 2 ** 31 }),
      short: fc.nat(),
    });
    fc.assert(
      fc.property(sizes, ({ count, rangeBytes, short }) => {
        const bytes = Math.max(0, count * rangeBytes - (short % rangeBytes));
        const ranges = planRanges(bytes, rangeBytes);
        expect(ranges).toHaveLength(count);
        expect(ranges.map(({ start }) => start)).toEqual([0, ...ranges.map(({ end }) => end)].slice(0, count));
        expect(ranges.at(-1)?.end ?? 0).toBe(bytes);
        const lengths = ranges.map(({ start, end }) => end - start);
        expect(lengths.slice(0, -1).every((length) => length === rangeBytes)).toBe(true);
        expect(lengths.every((length) => length >= 1 && length <= rangeBytes)).toBe(true);
      }),
      { seed: 31, numRuns: 200 },
    );
  });

  test('nothing is no range, and what is no size is refused', () => {
    expect(planRanges(0, 8)).toEqual([]);
    for (const bytes of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => planRanges(bytes, 8)).toThrow(RangeError);
      expect(() => planRanges(8, bytes)).toThrow(RangeError);
    }
    expect(() => planRanges(8, 0)).toThrow(RangeError);
  });
});
