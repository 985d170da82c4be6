/** Months by hand beside months by the estimate. */
import { describe, expect, test } from 'vitest';
import { environmentsFor, instancesFor, monthlyCost, spilledShare } from '../../lib/cost/monthly-cost.js';
import { PRICES, SECONDS_PER_MONTH } from '../../lib/cost/prices.js';
import type { FunctionUse, GpuUse, Serving } from '../../lib/cost/serving.js';
import { refusalOf } from '../support/refusal.js';

const predict: FunctionUse = { architecture: 'arm64', memorySize: 1024, milliseconds: 100 };
const gpu: GpuUse = {
  instanceType: 'ml.g5.xlarge',
  minInstances: 1,
  maxInstances: 4,
  requestsPerSecond: 50,
  milliseconds: 40,
};
const MILLION_A_MONTH = 1e6 / SECONDS_PER_MONTH;
/** A million requests of 100 ms and 1 GB: requests, and 100,000 gigabyte-seconds. */
const FUNCTION_MILLION = 0.2 + 1e5 * 0.0000133334;

describe('a million requests a month', () => {
  const cost = (serving: Serving) => monthlyCost(serving, MILLION_A_MONTH);

  test('of a function alone are its requests and its gigabyte-seconds', () => {
    const { perMonth, perMillion, idlePerMonth, requestsPerMonth } = cost({ kind: 'lambda', predict });
    expect(perMonth).toBeCloseTo(FUNCTION_MILLION, 8);
    expect([perMillion, idlePerMonth, requestsPerMonth]).toEqual([
      expect.closeTo(perMonth, 9),
      0,
      expect.closeTo(1e6, 3),
    ]);
  });

  test('come through an API, an HTTP API for $1.00 and a REST API for $3.50', () => {
    const through = (api: 'http' | 'rest') => cost({ kind: 'lambda', predict, api }).perMonth - FUNCTION_MILLION;
    expect([through('http'), through('rest')]).toEqual([expect.closeTo(1, 8), expect.closeTo(3.5, 8)]);
  });

  test('through a router are paid twice: it waits for the function', () => {
    const router: FunctionUse = { architecture: 'arm64', memorySize: 512, milliseconds: 5 };
    const { parts, perMonth } = cost({ kind: 'lambda', predict, router });
    const routerMillion = 0.2 + 0.5 * 105 * 1000 * 0.0000133334;
    expect(perMonth).toBeCloseTo(FUNCTION_MILLION + routerMillion, 8);
    expect(parts.find(({ item }) => item === 'router')).toMatchObject({
      perMonth: expect.closeTo(routerMillion, 8),
      basis: '512 MB, arm64, 105 ms',
    });
  });

  test('of which a GPU behind the router takes a tenth', () => {
    const router: FunctionUse = { architecture: 'arm64', memorySize: 1024, milliseconds: 0 };
    const { parts, idlePerMonth, sustained } = cost({ kind: 'lambda', predict, router, gpu: { use: gpu, share: 0.1 } });
    const of = (name: string) => parts.find(({ item }) => item === name)?.perMonth;
    expect(of('function')).toBeCloseTo(0.9 * FUNCTION_MILLION, 8);
    expect(of('router')).toBeCloseTo(0.2 + (0.9 * 100 + 0.1 * 40) * 1000 * 0.0000133334, 8);
    expect(of('ml.g5.xlarge')).toBeCloseTo(730 * 1.408, 8);
    expect([idlePerMonth, sustained]).toEqual([expect.closeTo(730 * 1.408, 8), true]);
  });
});

describe('environments that are kept ready', () => {
  const always = (min: number, max = min): FunctionUse => ({ ...predict, provisioned: { min, max, utilization: 0.7 } });

  test('cost without a request', () => {
    const { perMonth, idlePerMonth, perMillion } = monthlyCost({ kind: 'lambda', predict: always(2) }, 0);
    expect(perMonth).toBeCloseTo(2 * SECONDS_PER_MONTH * 0.0000033334, 8);
    expect([idlePerMonth, perMillion]).toEqual([perMonth, undefined]);
  });

  test('are as many as their utilization wants, within bounds', () => {
    const counts = (rates: readonly number[], use: FunctionUse) => rates.map((rate) => environmentsFor(use, rate));
    // 100 ms each: 7 a second keep 0.7 of one environment at work.
    expect(counts([0, 7, 7.1, 70, 1000], always(1, 20))).toEqual([1, 1, 2, 10, 20]);
    expect(counts([0, 1000], always(3))).toEqual([3, 3]);
    expect(counts([0, 1000], predict)).toEqual([0, 0]);
  });

  test('leave to on demand what finds them all at work: Erlang B', () => {
    expect([spilledShare(0, 1), spilledShare(1, 0), spilledShare(1, 1), spilledShare(2, 1)]).toEqual([1, 0, 0.5, 0.2]);
    // A table's value: 10 lines, 5 erlang, 1.84 %.
    expect(spilledShare(10, 5)).toBeCloseTo(0.0184, 4);
    const { parts } = monthlyCost({ kind: 'lambda', predict: always(1) }, 10);
    const requests = 10 * SECONDS_PER_MONTH;
    const running = 0.2e-6 + 0.1 * 0.0000077778;
    expect(parts.at(-1)?.perMonth).toBeCloseTo((requests * (running + FUNCTION_MILLION / 1e6)) / 2, 6);
  });
});

describe('a GPU', () => {
  test('is paid by the instance, as many as the rate takes', () => {
    const at = (rate: number) => monthlyCost({ kind: 'gpu-real-time', gpu }, rate);
    const month = 730 * 1.408;
    expect([0, 1, 50, 51, 200].map((rate) => at(rate).perMonth / month)).toEqual([1, 1, 1, 2, 4]);
    expect([at(200).sustained, at(201).sustained, at(201).perMonth / month]).toEqual([true, false, 4]);
    // 3 × 0.1 is above 0.3, but for rounding only.
    expect(instancesFor({ ...gpu, requestsPerSecond: 0.1 }, 0.3)).toEqual({ wanted: 3, had: 3 });
  });

  test('has instances beside that nobody counts on', () => {
    const beside = [{ instanceType: 'ml.g4dn.xlarge', instances: 2 }];
    const { perMonth, idlePerMonth } = monthlyCost({ kind: 'gpu-real-time', gpu: { ...gpu, beside } }, 10);
    expect(perMonth).toBeCloseTo(730 * (1.408 + 2 * 0.7364), 8);
    expect(idlePerMonth).toBe(perMonth);
  });

  test('with a queue has instances while jobs come, and each job is asked for', () => {
    const queued: Serving = {
      kind: 'gpu-asynchronous',
      gpu: { ...gpu, minInstances: 0 },
      dutyCycle: 0.25,
      polls: 2,
      api: 'http',
    };
    const { parts, idlePerMonth, perMonth } = monthlyCost(queued, 20);
    // 20 a second on average are 80 in a quarter of the time: two instances.
    expect(parts.find(({ item }) => item === 'ml.g5.xlarge')?.perMonth).toBeCloseTo(2 * 0.25 * 730 * 1.408, 8);
    const jobs = 20 * SECONDS_PER_MONTH;
    expect(parts.find(({ item }) => item === 'HTTP API')?.perMonth).toBeCloseTo(3e-6 * jobs, 6);
    expect(parts.find(({ item }) => item === 'S3')?.perMonth).toBeCloseTo(jobs * (4 * 5e-6 + 7 * 0.4e-6), 6);
    expect(idlePerMonth).toBe(0);
    expect(monthlyCost(queued, 0).perMonth).toBe(0);
    // One that is always there, in the other three quarters too.
    const warm = monthlyCost({ ...queued, gpu: { ...queued.gpu, minInstances: 1 } }, 20);
    expect(warm.perMonth - perMonth).toBeCloseTo(0.75 * 730 * 1.408, 6);
  });

  test('of another price can be given, and one without a price is refused', async () => {
    const serving: Serving = { kind: 'gpu-real-time', gpu: { ...gpu, instanceType: 'ml.p5.48xlarge' } };
    expect(await refusalOf(() => monthlyCost(serving, 1))).toMatchObject({
      code: 'PRICE_UNKNOWN',
      message: expect.stringContaining('ml.p5.48xlarge'),
      advice: expect.stringContaining('ml.g5.xlarge'),
    });
    const prices = { ...PRICES, sageMaker: { perInstanceHour: { 'ml.p5.48xlarge': 100 } } };
    expect(monthlyCost(serving, 1, prices).perMonth).toBe(73_000);
  });
});

test('parts add up to the whole, whatever the way', () => {
  const router: FunctionUse = { ...predict, milliseconds: 4, provisioned: { min: 1, max: 3, utilization: 0.7 } };
  const servings: Serving[] = [
    { kind: 'lambda', predict, router, api: 'rest', gpu: { use: gpu, share: 0.3 } },
    { kind: 'gpu-real-time', gpu, router, api: 'http' },
    { kind: 'gpu-asynchronous', gpu, router, api: 'http', dutyCycle: 0.5, polls: 1 },
  ];
  for (const serving of servings) {
    const { parts, perMonth, idlePerMonth } = monthlyCost(serving, 12.5);
    expect(parts.reduce((total, part) => total + part.perMonth, 0)).toBeCloseTo(perMonth, 8);
    expect(parts.reduce((total, part) => total + part.idlePerMonth, 0)).toBeCloseTo(idlePerMonth, 8);
    expect(parts.every((part) => part.basis !== '' && part.idlePerMonth <= part.perMonth + 1e-9)).toBe(true);
    // What is paid without a request is what a month without one costs.
    expect(monthlyCost(serving, 0).perMonth).toBeCloseTo(idlePerMonth, 8);
  }
});
