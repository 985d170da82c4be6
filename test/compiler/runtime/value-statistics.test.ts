import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValueObserver, type ValueStatistics } from '../../../lib/compiler/runtime/value-statistics.js';

function observe(pieces: readonly Float32Array[]): ValueStatistics {
  const observer = new ValueObserver();
  for (const piece of pieces) observer.add(piece);
  return observer.statistics();
}

const float = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ noNaN: true, min: -10, max: 10 }),
  fc.constantFrom(0, -0, 1, -1, 2 ** -149, -(2 ** 127)),
);
const piece = fc.array(float, { maxLength: 20 }).map((numbers) => Float32Array.from(numbers));
const pieces = fc.array(piece, { maxLength: 6 });

describe('ValueObserver', () => {
  it('counts every number once, in the bin that holds it', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const { histogram, observed, zeros } = observe(list);
        const numbers = list.flatMap((numbers) => [...numbers]);
        expect(observed).toBe(numbers.length);
        expect(zeros).toBe(numbers.filter((x) => x === 0).length);
        const expected = new Map<number, number>();
        for (const x of numbers.filter((x) => x !== 0)) {
          const bin = Math.floor(x / 2 ** histogram.exponent);
          expected.set(bin, (expected.get(bin) ?? 0) + 1);
        }
        const actual = [...histogram.counts.entries()].filter(([, count]) => count > 0);
        expect(new Map(actual.map(([index, count]) => [histogram.first + index, count]))).toEqual(expected);
        expect(histogram.counts.length).toBeLessThanOrEqual(4096);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('is the same whatever the order in which numbers come', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        expect(observe([...list].reverse())).toEqual(observe(list));
        const together = Float32Array.from(list.flatMap((numbers) => [...numbers]));
        expect(observe([together])).toEqual(observe(list));
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('has at least half of its bins over the range', () => {
    fc.assert(
      fc.property(piece, (numbers) => {
        const { histogram } = observe([numbers]);
        const range = Math.max(0, ...numbers) - Math.min(0, ...numbers);
        if (range > 0) expect(range / 2 ** histogram.exponent).toBeGreaterThan(2040);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('keeps what is not finite out of the histogram, and counts it', () => {
    const { histogram, notFinite, observed } = observe([
      Float32Array.of(Number.NaN, 1, Number.POSITIVE_INFINITY, 2, Number.NEGATIVE_INFINITY),
    ]);
    expect({ notFinite, observed }).toEqual({ notFinite: 3, observed: 5 });
    expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  it('takes extremes from where they are told', () => {
    const observer = new ValueObserver();
    observer.extend(-3, 5);
    observer.extend(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    observer.extend(-1, 9);
    expect(observer.statistics()).toMatchObject({ min: -3, max: 9, observed: 0 });
  });
});
