import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  binOf,
  defaultStatistics,
  type InputStatistic,
  populationStabilityIndex,
  sharesOf,
  statisticName,
  statisticsOf,
} from '../../lib/artifact/input-profile.js';

const counts = fc.integer({ min: 2, max: 10 }).chain((bins) => {
  const one = fc.array(fc.nat(1000), { minLength: bins, maxLength: bins });
  return fc.tuple(one, one);
});

describe('the population stability index', () => {
  it('is none of equal distributions, above it of others, and the same both ways', () => {
    fc.assert(
      fc.property(counts, ([a, b]) => {
        expect(populationStabilityIndex(a, a)).toBeCloseTo(0, 12);
        const index = populationStabilityIndex(a, b);
        expect(index).toBeGreaterThanOrEqual(-1e-12);
        expect(populationStabilityIndex(b, a)).toBeCloseTo(index, 9);
        expect(Number.isFinite(index)).toBe(true);
      }),
    );
  });

  it('is the sum of the two Kullback-Leibler divergences', () => {
    fc.assert(
      fc.property(counts, ([a, b]) => {
        const [p, q] = [sharesOf(a), sharesOf(b)];
        const divergence = (one: readonly number[], other: readonly number[]) =>
          one.reduce((sum, share, bin) => sum + share * Math.log(share / (other[bin] ?? 0)), 0);
        expect(populationStabilityIndex(a, b)).toBeCloseTo(divergence(p, q) + divergence(q, p), 9);
        expect(p.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
      }),
    );
  });

  it('is that of a book, once counts are many', () => {
    // Shares of 20, 30, 50 % against 30, 30, 40 %.
    const expected = 0.1 * Math.log(30 / 20) + 0.1 * Math.log(50 / 40);
    expect(populationStabilityIndex([200_000, 300_000, 500_000], [300_000, 300_000, 400_000])).toBeCloseTo(expected, 4);
  });
});

describe('bins', () => {
  it('hold their lower edge and are open at the ends', () => {
    const edges = [-1, 0, 2.5];
    expect([-9, -1, -0.5, 0, 2.4, 2.5, 9].map((value) => binOf(edges, value))).toEqual([0, 1, 1, 2, 2, 3, 3]);
    expect(
      [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY].map((value) => binOf(edges, value)),
    ).toEqual([0, 0, 3]);
  });
});

describe('statistics', () => {
  const tensor = (data: readonly number[], shape: readonly number[]) => ({
    length: data.length,
    shape,
    at: (index: number) => data[index] ?? Number.NaN,
  });

  it('are those of each item of a batch', () => {
    const found = statisticsOf(tensor([1, 2, 3, 5, 5, 5], [2, 3]), ['N', 3], ['value', 'mean', 'deviation']);
    expect(found.value).toEqual([1, 2, 3, 5, 5, 5]);
    expect(found.mean).toEqual([2, 5]);
    expect(found.deviation?.[0]).toBeCloseTo(Math.sqrt(2 / 3), 12);
    expect(found.deviation?.[1]).toBe(0);
    // A first axis of a fixed size is part of the item.
    expect(statisticsOf(tensor([1, 2, 3, 6], [1, 4]), [1, 4], ['mean']).mean).toEqual([3]);
    expect(statisticsOf(tensor([7], []), [], ['value', 'mean']).value).toEqual([7]);
    expect(statisticsOf(tensor([], [0, 3]), ['N', 3], ['mean']).mean).toEqual([]);
  });

  it('of large tensors are of every channel alike, and of elements enough', () => {
    const pixels = 512 * 512;
    const data = Array.from({ length: pixels * 3 }, (_, index) => (index % 3) * 10 + Math.sin(index));
    let looked = 0;
    const seen = [0, 0, 0];
    const { mean = [] } = statisticsOf(
      {
        length: data.length,
        shape: [1, 512, 512, 3],
        at: (index) => {
          looked += 1;
          seen[index % 3] = (seen[index % 3] ?? 0) + 1;
          return data[index] ?? 0;
        },
      },
      [1, 512, 512, 3],
      ['mean'],
    );
    expect(looked).toBeLessThanOrEqual(4097);
    expect(Math.min(...seen)).toBeGreaterThan(1200);
    expect(mean[0]).toBeCloseTo(10, 0);
  });

  it('of numbers far from 0 keep a small deviation', () => {
    const data = Array.from({ length: 100 }, (_, index) => 1e9 + (index % 2));
    expect(statisticsOf(tensor(data, [100]), [100], ['deviation']).deviation).toEqual([0.5]);
  });

  it.each<[readonly (number | string | null)[] | null, readonly InputStatistic[]]>([
    [[], ['value']],
    [['N', 4], ['value']],
    [['N', 64], ['value']],
    [
      ['N', 65],
      ['mean', 'deviation'],
    ],
    [
      [1, 128, 128, 3],
      ['mean', 'deviation'],
    ],
    [['N'], ['mean', 'deviation']],
    [
      ['N', 'length'],
      ['mean', 'deviation'],
    ],
    [null, ['mean', 'deviation']],
  ])('of %j are by default %j', (shape, expected) => {
    expect(defaultStatistics(shape)).toEqual(expected);
  });

  it('have names that CloudWatch takes', () => {
    expect(statisticName({ statistic: 'mean', input: 'input:0' })).toBe('mean of input:0');
    expect(statisticName({ statistic: 'value', input: 'größe\n' })).toBe('value of gr??e?');
  });
});
