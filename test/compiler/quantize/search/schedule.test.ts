import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bisect, repair } from '../../../../lib/compiler/quantize/search/descend.js';
import { type Option, optionsAfter, scheduleOf } from '../../../../lib/compiler/quantize/search/schedule.js';

const option = fc.record({ cost: fc.nat({ max: 1000 }), noise: fc.nat({ max: 1000 }) });
const units = fc.array(fc.array(option, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 });

type Units = readonly (readonly Option[])[];

const sum = (all: Units, chosen: readonly number[], of: (option: Option) => number) =>
  all.reduce((total, options, unit) => total + of(options[chosen[unit] ?? 0] as Option), 0);

describe('a schedule', () => {
  test('holds, for every λ, an answer that is as good as the best of each unit', () => {
    fc.assert(
      fc.property(units, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (all, lambda) => {
        const schedule = scheduleOf(all);
        const value = ({ cost, noise }: Option) => cost + lambda * noise;
        const best = all.reduce((total, options) => total + Math.min(...options.map(value)), 0);
        const found = schedule.steps.map((_, index) => sum(all, optionsAfter(schedule, index), value));
        found.push(sum(all, optionsAfter(schedule, schedule.steps.length), value));
        expect(Math.min(...found)).toBeCloseTo(best, 6);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test('begins with the least noise, ends with the least cost, and gets cheaper and noisier at each step', () => {
    fc.assert(
      fc.property(units, (all) => {
        const schedule = scheduleOf(all);
        const noise = (option: Option) => option.noise;
        const cost = (option: Option) => option.cost;
        const least = (of: (option: Option) => number) =>
          all.reduce((total, options) => total + Math.min(...options.map(of)), 0);
        expect(sum(all, schedule.start, noise)).toBe(least(noise));
        expect(sum(all, optionsAfter(schedule, schedule.steps.length), cost)).toBe(least(cost));
        for (let count = 1; count <= schedule.steps.length; count++) {
          const [before, after] = [optionsAfter(schedule, count - 1), optionsAfter(schedule, count)];
          expect(sum(all, after, cost)).toBeLessThan(sum(all, before, cost));
          expect(sum(all, after, noise)).toBeGreaterThanOrEqual(sum(all, before, noise));
        }
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  test('leaves out what has no finite noise', () => {
    const schedule = scheduleOf([
      [
        { cost: 10, noise: 0 },
        { cost: 1, noise: Number.POSITIVE_INFINITY },
        { cost: 5, noise: 2 },
      ],
    ]);
    expect(schedule.steps).toEqual([{ unit: 0, option: 2, saving: 5, noise: 2 }]);
  });
});

/** Holds as long as the noise stays within the limit: what the search assumes. */
function within(all: Units, limit: number) {
  let checks = 0;
  const holds = async (chosen: readonly number[]) => {
    checks++;
    return sum(all, chosen, ({ noise }) => noise) <= limit;
  };
  return { holds, count: () => checks };
}

describe('the bisection', () => {
  test('finds the last step that holds where noise alone decides, with as many checks as it likes', async () => {
    await fc.assert(
      fc.asyncProperty(units, fc.nat({ max: 3000 }), async (all, limit) => {
        const schedule = scheduleOf(all);
        const { holds } = within(all, limit);
        const at = async (count: number) => await holds(optionsAfter(schedule, count));
        const { holding, breaking } = await bisect(schedule, at, { from: 0, checks: 1000 });
        let expected: number | undefined;
        for (let count = 0; count <= schedule.steps.length; count++) if (await at(count)) expected = count;
        expect(holding).toBe(expected);
        expect(breaking).toBe(expected === schedule.steps.length ? undefined : (expected ?? -1) + 1 || breaking);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test('keeps to its checks, and to what it saw', async () => {
    await fc.assert(
      fc.asyncProperty(units, fc.nat({ max: 3000 }), async (all, limit) => {
        const schedule = scheduleOf(all);
        const { holds, count } = within(all, limit);
        const result = await bisect(schedule, (steps) => holds(optionsAfter(schedule, steps)), { from: 0, checks: 8 });
        // One more where nothing held: whether the start does.
        expect(count()).toBe(result.checks);
        expect(result.checks).toBeLessThanOrEqual(9);
        if (result.holding !== undefined) expect(await holds(optionsAfter(schedule, result.holding))).toBe(true);
        if (result.breaking !== undefined) expect(await holds(optionsAfter(schedule, result.breaking))).toBe(false);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});

describe('repairs', () => {
  const never = () => false;

  test('only ever keep what holds, get no dearer, and keep to their checks', async () => {
    await fc.assert(
      fc.asyncProperty(units, fc.nat({ max: 3000 }), async (all, limit) => {
        const schedule = scheduleOf(all);
        const { holds, count } = within(all, limit);
        if (!(await holds(schedule.start))) return;
        const result = await repair(schedule.start, schedule.steps, holds, { checks: 16, isLate: never });
        expect(count() - 1).toBe(result.checks);
        expect(result.checks).toBeLessThanOrEqual(16);
        expect(await holds(result.options)).toBe(true);
        const cost = (option: Option) => option.cost;
        expect(sum(all, result.options, cost)).toBeLessThanOrEqual(sum(all, schedule.start, cost));
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  test('leave out the unit that breaks the budget, and move all others', async () => {
    const all = Array.from({ length: 12 }, () => [
      { cost: 10, noise: 0 },
      { cost: 1, noise: 1 },
    ]);
    const schedule = scheduleOf(all);
    const holds = async (chosen: readonly number[]) => chosen[7] === 0;
    const { options } = await repair(schedule.start, schedule.steps, holds, { checks: 16, isLate: never });
    expect(options).toEqual(all.map((_, unit) => (unit === 7 ? 0 : 1)));
  });

  test('go back one step with a unit that bears the first and not the second', async () => {
    const schedule = scheduleOf([
      [
        { cost: 10, noise: 0 },
        { cost: 5, noise: 1 },
        { cost: 4, noise: 10 },
      ],
    ]);
    const holds = async (chosen: readonly number[]) => chosen[0] !== 2;
    const { options } = await repair(schedule.start, schedule.steps, holds, { checks: 16, isLate: never });
    expect(options).toEqual([1]);
  });

  test('end when it is late', async () => {
    const schedule = scheduleOf([
      [
        { cost: 2, noise: 0 },
        { cost: 1, noise: 1 },
      ],
    ]);
    const { checks } = await repair(schedule.start, schedule.steps, async () => true, {
      checks: 16,
      isLate: () => true,
    });
    expect(checks).toBe(0);
  });
});
