import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceleratedUpper, studentizedUpper } from '../../../../lib/compiler/metrics/bounds/bootstrap.js';
import { clopperPearsonUpper } from '../../../../lib/compiler/metrics/bounds/clopper-pearson.js';
import { lossBound } from '../../../../lib/compiler/metrics/bounds/loss-bound.js';
import { normalCdf, normalQuantile } from '../../../../lib/compiler/metrics/bounds/normal.js';
import type { Metric, MetricForm } from '../../../../lib/compiler/metrics/metric.js';
import { randomNumbers } from '../../../../lib/compiler/runtime/sample-inputs.js';

const mean = (observations: readonly Float64Array[]) =>
  observations.reduce((sum, [value = 0]) => sum + value, 0) / observations.length;

function metricOf(form: MetricForm, aggregate = mean): Metric {
  const observe = () => new Float64Array();
  return { name: 'm', unit: 'share', better: 'higher', needsLabels: false, form, observe, aggregate };
}

const share = metricOf({ kind: 'bounded-mean', worst: 0, best: 1 });

describe('the exact bound of a share', () => {
  test('is what tables of Clopper and Pearson say', () => {
    // scipy.stats.beta.ppf(0.95, k + 1, n - k)
    expect(clopperPearsonUpper(0, 300, 0.95)).toBeCloseTo(0.009936, 6);
    expect(clopperPearsonUpper(0, 298, 0.95)).toBeGreaterThan(0.01);
    expect(clopperPearsonUpper(0, 299, 0.95)).toBeLessThan(0.01);
    expect(clopperPearsonUpper(2, 20, 0.95)).toBeCloseTo(0.282619, 5);
    expect(clopperPearsonUpper(50, 100, 0.95)).toBeCloseTo(0.586409, 4);
    expect(clopperPearsonUpper(1000, 100_000, 0.95)).toBeCloseTo(0.01053, 4);
  });

  test('is 1 where all samples lose, or there are none', () => {
    expect(clopperPearsonUpper(0, 0, 0.95)).toBe(1);
    expect(clopperPearsonUpper(7, 7, 0.95)).toBe(1);
  });

  test('grows with losses and shrinks with samples', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.nat({ max: 500 }), (samples, wanted) => {
        const losses = Math.min(wanted, samples - 1);
        const bound = clopperPearsonUpper(losses, samples, 0.95);
        expect(bound).toBeGreaterThan(losses / samples);
        expect(clopperPearsonUpper(losses + 1, samples, 0.95)).toBeGreaterThan(bound);
        expect(clopperPearsonUpper(losses, samples + 1, 0.95)).toBeLessThan(bound);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

test('the normal distribution is that of tables', () => {
  expect(normalQuantile(0.95)).toBeCloseTo(1.644854, 5);
  expect(normalQuantile(0.025)).toBeCloseTo(-1.959964, 5);
  expect(normalCdf(1)).toBeCloseTo(0.8413447, 6);
});

/** How often the bound lies at or above the truth, over many sets made by `draw`. */
function coverage(
  truth: number,
  sets: number,
  draw: (random: () => number) => { readonly original: Float64Array[]; readonly candidate: Float64Array[] },
  metric: Metric,
): number {
  const random = randomNumbers(7);
  let covered = 0;
  for (let set = 0; set < sets; set++) {
    const { original, candidate } = draw(random);
    if (lossBound(metric, original, candidate, { confidence: 0.95, seed: set }).value >= truth) covered++;
  }
  return covered / sets;
}

const observations = (count: number, of: () => number) => Array.from({ length: count }, () => Float64Array.of(of()));

describe('the bound of a paired loss lies above the truth in 95 of 100 cases', () => {
  // Three standard deviations of 200 draws below 0.95 are 0.904.
  const promised = 0.9;

  for (const { samples, worse } of [
    { samples: 300, worse: 0.01 },
    { samples: 100, worse: 0.05 },
    { samples: 40, worse: 0.3 },
  ]) {
    test(`for agreement: ${worse} of ${samples} samples change`, () => {
      const draw = (random: () => number) => ({
        original: observations(samples, () => 1),
        candidate: observations(samples, () => (random() < worse ? 0 : 1)),
      });
      expect(coverage(worse, 200, draw, share)).toBeGreaterThanOrEqual(promised);
    });
  }

  for (const { samples, worse, better } of [
    { samples: 300, worse: 0.02, better: 0.02 },
    { samples: 300, worse: 0.08, better: 0.05 },
    { samples: 1000, worse: 0.02, better: 0.015 },
    { samples: 100, worse: 0.1, better: 0.1 },
  ]) {
    test(`for accuracy: of ${samples} samples ${worse} get worse and ${better} better`, () => {
      const draw = (random: () => number) => {
        const original: Float64Array[] = [];
        const candidate: Float64Array[] = [];
        for (let index = 0; index < samples; index++) {
          const at = random();
          const [before, after] = at < worse ? [1, 0] : at < worse + better ? [0, 1] : random() < 0.8 ? [1, 1] : [0, 0];
          original.push(Float64Array.of(before));
          candidate.push(Float64Array.of(after));
        }
        return { original, candidate };
      };
      expect(coverage(worse - better, 200, draw, share)).toBeGreaterThanOrEqual(promised);
    });
  }

  test('for losses that are mostly small and sometimes large', () => {
    const draw = (random: () => number) => ({
      original: observations(120, () => 1),
      candidate: observations(120, () => 1 - random() ** 8),
    });
    expect(coverage(1 / 9, 200, draw, share)).toBeGreaterThanOrEqual(promised);
  });

  test('for a ratio of sums, as SNR is one', () => {
    const ratio = metricOf({ kind: 'unbounded' }, (all) => {
      const sum = (at: number) => all.reduce((total, energies) => total + (energies[at] ?? 0), 0);
      return 10 * Math.log10(sum(0) / sum(1));
    });
    const draw = (random: () => number) => {
      const candidate = Array.from({ length: 60 }, () => Float64Array.of(1 + random(), 0.01 * (1 + 4 * random() ** 2)));
      return { original: candidate.map(() => Float64Array.of(1, 0.001)), candidate };
    };
    // Original 30 dB; candidate 10·log10(1.5 / (0.01 · (1 + 4/3))).
    const truth = 30 - 10 * Math.log10(1.5 / (0.01 * (1 + 4 / 3)));
    expect(coverage(truth, 100, draw, ratio)).toBeGreaterThanOrEqual(0.88);
  });
});

test('a set in which few samples changed is bounded by their share, not by resamples of those few', () => {
  const set = metricOf({ kind: 'bounded-set', span: 1 });
  const ones = observations(100, () => 1);
  const options = { confidence: 0.95, seed: 1 };
  expect(lossBound(set, ones, ones, options)).toEqual({
    value: clopperPearsonUpper(0, 100, 0.95),
    method: 'clopper-pearson',
  });
  const five = ones.map((one, index) => (index < 5 ? Float64Array.of(0.9) : one));
  expect(lossBound(set, ones, five, options).value).toBeCloseTo(clopperPearsonUpper(5, 100, 0.95), 12);
});

test('a set in which many samples changed and none got worse may still lose what its size could have missed', () => {
  const rounded = metricOf({ kind: 'bounded-set', span: 1 }, (all) =>
    all.every(([value = 0]) => value > 0.5) ? 1 : 0,
  );
  const before = observations(100, () => 1);
  const after = observations(100, () => 0.9);
  expect(lossBound(rounded, before, after, { confidence: 0.95, seed: 1 })).toEqual({
    value: clopperPearsonUpper(0, 100, 0.95),
    method: 'bootstrap',
  });
});

test('bounds are no wider than they have to be: 1.6 times what a normal distribution of the same spread would say', () => {
  const random = randomNumbers(3);
  const values = Float64Array.from({ length: 400 }, () => random());
  const average = values.reduce((sum, value) => sum + value, 0) / values.length;
  const wald = (1.645 * Math.sqrt(1 / 12)) / Math.sqrt(400);
  const options = { confidence: 0.95, seed: 1, resamples: 2000 };
  expect(studentizedUpper(values, options) - average).toBeLessThan(1.6 * wald);
  const statistic = (indices: readonly number[]) =>
    indices.reduce((sum, index) => sum + (values[index] ?? 0), 0) / indices.length;
  expect(acceleratedUpper(400, statistic, options) - average).toBeLessThan(1.6 * wald);
});

test('nothing is said of a maximum, of no samples, or of a few samples of something unbounded', () => {
  const one = [Float64Array.of(1)];
  const options = { confidence: 0.95, seed: 1 };
  expect(lossBound(metricOf({ kind: 'extreme' }), one, one, options).value).toBe(Number.POSITIVE_INFINITY);
  expect(lossBound(share, [], [], options).value).toBe(Number.POSITIVE_INFINITY);
  expect(lossBound(metricOf({ kind: 'unbounded' }), one, one, options).value).toBe(Number.POSITIVE_INFINITY);
});

test('the same seed gives the same bound, another one nearly', () => {
  const random = randomNumbers(5);
  const original = observations(200, () => 1);
  const candidate = observations(200, () => 1 - random() / 10);
  const of = (seed: number) => lossBound(share, original, candidate, { confidence: 0.95, seed }).value;
  expect(of(1)).toBe(of(1));
  expect(of(2)).not.toBe(of(1));
  expect(Math.abs(of(2) - of(1))).toBeLessThan(0.002);
});
