import { describe, expect, test } from 'vitest';
import type { Signature, Task } from '../../../lib/artifact/manifest.js';
import type { Budget } from '../../../lib/compiler/metrics/budget.js';
import { certify } from '../../../lib/compiler/metrics/certify.js';
import { metricFor } from '../../../lib/compiler/metrics/metric-for.js';
import { randomNumbers } from '../../../lib/compiler/runtime/sample-inputs.js';

const TASK: Task = { type: 'tensor' };
const SIGNATURE: Signature = { inputs: [], outputs: [{ name: 'y', dataType: 'float32', shape: [1, 2] }] };

const numbers = (values: readonly number[]) => values.map((value) => Float64Array.of(value));
const repeat = (count: number, value: (index: number) => number) =>
  numbers(Array.from({ length: count }, (_, index) => value(index)));

function judge(
  budget: Budget,
  original: readonly Float64Array[],
  candidate: readonly Float64Array[],
  isSynthetic = false,
) {
  return certify(metricFor(budget.metric, TASK, SIGNATURE), budget, original, candidate, { isSynthetic });
}

describe('a budget', () => {
  test('of 1 % agreement takes 299 samples without a single change', () => {
    const budget: Budget = { metric: 'agreement', maxLoss: 0.01 };
    const ones = (count: number) => repeat(count, () => 1);
    expect(judge(budget, ones(299), ones(299))).toMatchObject({ status: 'certified', method: 'clopper-pearson' });
    expect(judge(budget, ones(120), ones(120))).toMatchObject({ status: 'not-certified', samplesNeeded: 299 });
    expect(judge(budget, ones(120), ones(120)).reason).toContain('299');
    expect(judge(budget, ones(1), ones(1))).toMatchObject({ status: 'not-certified', samplesNeeded: 299 });
  });

  test('says of how many samples more it would take, and those do', () => {
    const budget: Budget = { metric: 'agreement', maxLoss: 0.03 };
    const withLosses = (count: number) => repeat(count, (index) => (index % 100 === 0 ? 0 : 1));
    const small = judge(
      budget,
      repeat(100, () => 1),
      withLosses(100),
    );
    expect(small.status).toBe('not-certified');
    const needed = small.samplesNeeded ?? 0;
    expect(needed).toBeGreaterThan(100);
    // Rounded to whole losses, a few more are as good.
    const count = Math.ceil(needed / 100) * 100;
    expect(
      judge(
        budget,
        repeat(count, () => 1),
        withLosses(count),
      ).status,
    ).toBe('certified');
  });

  test('is broken by the samples themselves, and no number of them would do', () => {
    const broken = judge(
      { metric: 'agreement', maxLoss: 0.01 },
      repeat(100, () => 1),
      repeat(100, (i) => (i < 2 ? 0 : 1)),
    );
    expect(broken.status).toBe('broken');
    expect(broken.loss).toBeCloseTo(0.02, 12);
    const exhausted = judge(
      { metric: 'agreement', maxLoss: 0.02 },
      repeat(100, () => 1),
      repeat(100, (i) => (i < 2 ? 0 : 1)),
    );
    expect(exhausted.status).toBe('not-certified');
    expect(exhausted.samplesNeeded).toBeUndefined();
    expect(exhausted.reason).toContain('no number of samples');
  });

  test.each([
    // 1 - 0.95 is 0.050000000000000044.
    { wrong: 1, samples: 20, maxLoss: 0.05 },
    { wrong: 3, samples: 100, maxLoss: 0.03 },
    { wrong: 7, samples: 1000, maxLoss: 0.007 },
  ])('is not broken by a loss that is as large as it allows: $wrong of $samples', ({ wrong, samples, maxLoss }) => {
    const ones = repeat(samples, () => 1);
    const some = (zeros: number) => repeat(samples, (index) => (index < zeros ? 0 : 1));
    expect(judge({ metric: 'agreement', maxLoss }, ones, some(wrong)).status).toBe('not-certified');
    expect(judge({ metric: 'agreement', maxLoss }, ones, some(wrong + 1)).status).toBe('broken');
    expect(judge({ metric: 'agreement', min: 1 - maxLoss }, ones, some(wrong)).status).toBe('not-certified');
  });

  test('is not certified on made-up data', () => {
    const ones = repeat(1000, () => 1);
    expect(judge({ metric: 'agreement', maxLoss: 0.01 }, ones, ones, true).status).toBe('not-certified');
  });

  test('is not kept by what is no number', () => {
    const nan = repeat(300, () => Number.NaN);
    expect(
      judge(
        { metric: 'agreement', maxLoss: 0.01 },
        repeat(300, () => 1),
        nan,
      ).status,
    ).toBe('broken');
  });

  test('with a limit judges an original that is perfect by itself like a loss', () => {
    const random = randomNumbers(1);
    const candidate = Array.from({ length: 50 }, () => Float64Array.of(1 + random(), 1e-5 * (1 + random())));
    const original = candidate.map(([signal = 0]) => Float64Array.of(signal, 0));
    expect(judge({ metric: 'snr', min: 45 }, original, candidate)).toMatchObject({
      status: 'certified',
      method: 'bootstrap',
    });
    expect(judge({ metric: 'snr', min: 49.9 }, original, candidate).status).toBe('not-certified');
    expect(judge({ metric: 'snr', min: 60 }, original, candidate).status).toBe('broken');
  });

  test('with a limit on labels bounds the metric itself, not the loss', () => {
    // Both have the same 90 % right: nothing is lost, and 0.89 of all inputs is still not sure.
    const nine = repeat(100, (index) => (index % 10 === 0 ? 0 : 1));
    expect(judge({ metric: 'accuracy', maxLoss: 0.05 }, nine, nine).status).toBe('certified');
    const unsure = judge({ metric: 'accuracy', min: 0.89 }, nine, nine);
    expect(unsure.status).toBe('not-certified');
    // About (1.645 / 0.01)² · 0.09.
    expect(unsure.samplesNeeded).toBeGreaterThan(2000);
    expect(unsure.samplesNeeded).toBeLessThan(4000);
    expect(judge({ metric: 'accuracy', min: 0.8 }, nine, nine).status).toBe('certified');
    expect(judge({ metric: 'accuracy', min: 0.95 }, nine, nine).status).toBe('broken');
  });

  test('of a maximum is never certified, and says which share may exceed it', () => {
    const certificate = judge(
      { metric: 'max-abs', max: 0.1 },
      repeat(100, () => 0),
      repeat(100, () => 0.05),
    );
    expect(certificate.status).toBe('not-certified');
    expect(certificate.reason).toContain('up to 2.951 % of inputs');
    expect(
      judge(
        { metric: 'max-abs', max: 0.01 },
        repeat(100, () => 0),
        repeat(100, () => 0.05),
      ).status,
    ).toBe('broken');
  });

  test('counts gains against losses where there are many of both', () => {
    const original = repeat(5000, (index) => (index % 100 < 2 ? 0 : 1));
    // 2 % get better, 2 % get worse.
    const candidate = repeat(5000, (index) => (index % 100 >= 2 && index % 100 < 4 ? 0 : 1));
    const certificate = judge({ metric: 'accuracy', maxLoss: 0.01 }, original, candidate);
    expect(certificate).toMatchObject({ status: 'certified', method: 'bootstrap', loss: 0 });
  });
});
