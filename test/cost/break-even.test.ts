/** Break-even points by hand, and the estimate on both sides of each. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { breakEven, stepsOf } from '../../lib/cost/break-even.js';
import { monthlyCost } from '../../lib/cost/monthly-cost.js';
import { SECONDS_PER_MONTH } from '../../lib/cost/prices.js';
import type { FunctionUse, GpuUse, Serving } from '../../lib/cost/serving.js';

const predict: FunctionUse = { architecture: 'x86_64', memorySize: 2048, milliseconds: 200 };
const lambda: Serving = { kind: 'lambda', predict };
const gpuOf = (options: Partial<GpuUse> = {}): Serving => ({
  kind: 'gpu-real-time',
  gpu: {
    instanceType: 'ml.g5.xlarge',
    minInstances: 1,
    maxInstances: 1000,
    requestsPerSecond: 1000,
    milliseconds: 10,
    ...options,
  },
});
const between = (first: Serving, second: Serving, upTo = 1000) =>
  breakEven(
    (rate) => monthlyCost(first, rate).perMonth,
    (rate) => monthlyCost(second, rate).perMonth,
    { upTo, steps: [...stepsOf(first, upTo), ...stepsOf(second, upTo)] },
  );
/** What a request costs in a month at one a second, and what an instance costs. */
const SLOPE = SECONDS_PER_MONTH * (0.2e-6 + 2 * 0.2 * 0.0000166667);
const INSTANCE = 730 * 1.408;

describe('Lambda and a GPU', () => {
  test('cost the same where the instance is worth its requests', () => {
    expect(between(lambda, gpuOf())).toEqual({
      secondAtFirst: false,
      upTo: 1000,
      crossings: [{ requestsPerSecond: expect.closeTo(INSTANCE / SLOPE, 6), secondAbove: true }],
    });
  });

  test('change places again where a further instance is needed, until enough of them are full', () => {
    // An instance is full at 70 a second and worth 57: the k-th is worth 57 k, from 70 (k - 1) on.
    const worth = INSTANCE / SLOPE;
    const full = 70;
    const { crossings } = between(lambda, gpuOf({ requestsPerSecond: full }));
    const expected: number[] = [];
    for (let count = 1; count <= Math.floor(1000 / full) + 1; count++) {
      if (count > 1 && worth * count > full * (count - 1)) expected.push(full * (count - 1));
      if (worth * count > full * (count - 1)) expected.push(worth * count);
    }
    expect(expected.length).toBeGreaterThan(5);
    expect(crossings.map(({ requestsPerSecond }) => requestsPerSecond)).toEqual(
      expected.map((rate) => expect.closeTo(rate, 3)),
    );
    expect(crossings.map(({ secondAbove }) => secondAbove)).toEqual(expected.map((_, index) => index % 2 === 0));
  });

  test('never do where a full instance is worth less than it costs', () => {
    expect(between(lambda, gpuOf({ requestsPerSecond: 30 })).crossings).toEqual([]);
  });

  test('with a queue and nothing idle, from the first request on or never', () => {
    const queued: Serving = {
      kind: 'gpu-asynchronous',
      gpu: { ...(gpuOf() as Extract<Serving, { kind: 'gpu-real-time' }>).gpu, minInstances: 0 },
      dutyCycle: 0.1,
      polls: 1,
    };
    const [crossing, ...others] = between(lambda, queued).crossings;
    // A tenth of an instance, and S3 for each job.
    const job = SECONDS_PER_MONTH * (4 * 5e-6 + 4 * 0.4e-6);
    expect(job).toBeGreaterThan(SLOPE);
    expect([crossing, others]).toEqual([undefined, []]);
    const slow: Serving = { kind: 'lambda', predict: { ...predict, milliseconds: 1000 } };
    const slope = SECONDS_PER_MONTH * (0.2e-6 + 2 * 0.0000166667);
    expect(between(slow, queued, 90).crossings).toEqual([
      { requestsPerSecond: expect.closeTo((0.1 * INSTANCE) / (slope - job), 6), secondAbove: true },
    ]);
  });
});

describe('Lambda on demand and kept ready', () => {
  const ready = (min: number, max = min, utilization = 0.7): Serving => ({
    kind: 'lambda',
    predict: { ...predict, provisioned: { min, max, utilization } },
  });

  test('cost the same where six tenths of an environment are at work', () => {
    // Erlang's B of one environment is a / (1 + a), so that a / (1 + a) of it is at work; 0.6 at a = 1.5.
    const idle = 0.0000041667 / (0.0000166667 - 0.0000097222);
    const load = idle / (1 - idle);
    expect(load).toBeCloseTo(1.5, 2);
    expect(between(lambda, ready(1)).crossings).toEqual([
      { requestsPerSecond: expect.closeTo(load / 0.2, 3), secondAbove: true },
    ]);
  });

  test('never do where less of them is at work', () => {
    expect(between(lambda, ready(1, 1000, 0.5)).crossings).toEqual([]);
  });
});

test('on both sides of each crossing the estimate says what the crossing says', () => {
  const functionUse = fc.record({
    architecture: fc.constantFrom('arm64' as const, 'x86_64' as const),
    memorySize: fc.integer({ min: 128, max: 10_240 }),
    milliseconds: fc.integer({ min: 1, max: 20_000 }),
    provisioned: fc.option(
      fc.record({
        min: fc.integer({ min: 1, max: 5 }),
        max: fc.integer({ min: 5, max: 50 }),
        utilization: fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      }),
      { nil: undefined },
    ),
  });
  const gpu = fc.record({
    instanceType: fc.constantFrom('ml.g4dn.xlarge', 'ml.g6.2xlarge'),
    minInstances: fc.integer({ min: 0, max: 2 }),
    maxInstances: fc.integer({ min: 2, max: 20 }),
    requestsPerSecond: fc.integer({ min: 1, max: 500 }),
    milliseconds: fc.integer({ min: 1, max: 500 }),
  });
  const entrance = {
    api: fc.constantFrom(undefined, 'http' as const, 'rest' as const),
    router: fc.option(functionUse, { nil: undefined }),
  };
  const serving: fc.Arbitrary<Serving> = fc.oneof(
    fc.record({
      kind: fc.constant('lambda' as const),
      predict: functionUse,
      gpu: fc.option(fc.record({ use: gpu, share: fc.double({ min: 0, max: 1, noNaN: true }) }), { nil: undefined }),
      ...entrance,
    }),
    fc.record({ kind: fc.constant('gpu-real-time' as const), gpu, ...entrance }),
    fc.record({
      kind: fc.constant('gpu-asynchronous' as const),
      gpu,
      dutyCycle: fc.double({ min: 0.05, max: 1, noNaN: true }),
      polls: fc.integer({ min: 0, max: 5 }),
      ...entrance,
    }),
  );
  let checked = 0;
  fc.assert(
    fc.property(serving, serving, (first, second) => {
      const { crossings, secondAtFirst, upTo } = between(first, second, 300);
      let isSecond = secondAtFirst;
      const ends = [...crossings.map(({ requestsPerSecond }) => requestsPerSecond), upTo];
      crossings.forEach(({ requestsPerSecond, secondAbove }, index) => {
        // A crossing turns what was so far.
        expect(secondAbove).toBe(!isSecond);
        isSecond = secondAbove;
        const before = index === 0 ? 0 : (ends[index - 1] ?? 0);
        const behind = ends[index + 1] ?? upTo;
        // As near as rounding lets one look, where the crossings leave room for it.
        const near = Math.min(
          1e-5 * requestsPerSecond,
          (requestsPerSecond - before) / 2,
          (behind - requestsPerSecond) / 2,
        );
        if (near < 1e-9 * requestsPerSecond) return;
        for (const [rate, expected] of [
          [requestsPerSecond - near, !secondAbove],
          [requestsPerSecond + near, secondAbove],
        ] as const) {
          const difference = monthlyCost(second, rate).perMonth - monthlyCost(first, rate).perMonth;
          // Less than a rounding error of the whole is no difference.
          if (Math.abs(difference) < 1e-9 * monthlyCost(first, rate).perMonth) continue;
          expect([rate, difference < 0]).toEqual([rate, expected]);
          checked += 1;
        }
      });
    }),
    { numRuns: 60 },
  );
  expect(checked).toBeGreaterThan(50);
});
