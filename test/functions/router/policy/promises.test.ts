/** What the policy promises whatever the targets do. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Decision } from '../../../../functions/router/policy/decision.js';
import { Dispatcher } from '../../../../functions/router/policy/dispatcher.js';
import type { TargetName } from '../../../../functions/router/policy/outcome.js';
import { DEFAULT_POLICY, type RouterPolicy } from '../../../../lib/artifact/router-policy.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { randomFloats } from '../../../support/random-numbers.js';
import {
  answers,
  executions,
  fails,
  OUTCOMES,
  type RecordedCall,
  type Script,
  scriptedTargets,
} from '../../../support/scripted-targets.js';

const TIMEOUT = 2_000;
/** Of sums of times. */
const ROUNDING = 1e-6;
const MIDDLE = () => 0.5;

const script: fc.Arbitrary<Script> = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 300 }).map((after) => answers(after)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...(Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[])),
        fc.integer({ min: 0, max: 2_500 }),
      )
      .map(([outcome, after]) => fails(outcome, after)),
  },
  { weight: 1, arbitrary: fc.integer({ min: 300, max: 3_000 }).map((after) => answers(after)) },
  { weight: 1, arbitrary: fc.constant<Script>('hangs') },
);

const policy: fc.Arbitrary<RouterPolicy> = fc
  .record({
    cpuTimeout: fc.oneof(fc.integer({ min: 1, max: TIMEOUT }), fc.constant(TIMEOUT / 2)),
    hedgeAfter: fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }),
    maxCpuBatch: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    extraLoad: fc.constantFrom(0, 0.05, 0.1),
    failures: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ failures, ...rest }) => ({
    ...DEFAULT_POLICY,
    ...rest,
    timeout: TIMEOUT,
    circuitBreaker: { failures, openFor: 500, maxOpenFor: 4_000 },
  }));

const requests = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 400 }),
    lambda: script,
    sagemaker: script,
    batch: fc.integer({ min: 1, max: 6 }),
    targets: fc.constantFrom('any', 'any', 'any', 'lambda'),
    timeLeft: fc.option(fc.integer({ min: -10, max: 3_000 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 80, size: 'max' },
);

function wayOf(decision: Decision<string>): string {
  switch (decision.kind) {
    case 'answered':
      return `answered ${decision.by} ${decision.reason}`;
    case 'rejected':
      return `rejected ${decision.by}`;
    case 'failed':
      return decision.cause;
  }
}

it('every request gets exactly one end, in its time; what runs twice is in the budget; nothing is left behind', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(policy, requests, fc.boolean(), async (rules, sent, oneAfterTheOther) => {
      const clock = new FakeClock();
      const dispatcher = new Dispatcher(rules, { clock, random: MIDDLE });
      const ends: { decision: Decision<string>; took: number; limit: number; calls: RecordedCall[] }[] = [];
      const pending: Promise<void>[] = [];
      for (const { gap, batch, targets, timeLeft, ...scripts } of sent) {
        await clock.advance(gap);
        const { call, calls } = scriptedTargets(clock, scripts);
        const began = clock.now();
        const limit = Math.max(0, Math.min(TIMEOUT, timeLeft ?? TIMEOUT));
        pending.push(
          dispatcher.dispatch({ targets, batch, payloadBytes: 1, timeLeft }, call).then((decision) => {
            ends.push({ decision, took: clock.now() - began, limit, calls });
          }),
        );
        if (oneAfterTheOther) await clock.runAll();
      }
      await clock.runAll();
      await Promise.all(pending);

      expect([ends.length, clock.pending]).toEqual([sent.length, 0]);
      for (const { decision, took, limit, calls } of ends) {
        seen.add(wayOf(decision));
        expect(took).toBeLessThanOrEqual(limit + ROUNDING);
        expect(calls.filter(({ ended }) => ended === 'pending')).toEqual([]);
        expect(new Set(calls.map(({ target }) => target)).size).toBe(calls.length);
        expect(decision.isExtraLoad).toBe(executions(calls) > 1);
        if (decision.kind === 'answered') {
          expect(calls.some(({ ended }) => typeof ended === 'object' && ended.kind === 'answer')).toBe(true);
        } else if (decision.kind === 'failed') {
          expect(decision.retryAfterSeconds).toBeGreaterThanOrEqual(1);
          expect(decision.retryAfterSeconds).toBeLessThanOrEqual(60);
        }
      }
      const extra = ends.reduce((sum, { calls }) => sum + Math.max(0, executions(calls) - 1), 0);
      expect(extra).toBeLessThanOrEqual(Math.ceil(rules.extraLoad * sent.length));
    }),
    { numRuns: 200 },
  );
  // The samples are worth something: every way in which a request can end was among them.
  for (const way of [
    'answered lambda primary',
    'answered sagemaker hedge',
    'answered sagemaker timeout',
    'answered sagemaker function-error',
    'answered sagemaker batch-too-large',
    'answered sagemaker circuit-open',
    'rejected sagemaker',
    'rejected lambda',
    'deadline',
    'circuit-open',
    'gpu-needed',
    'lambda-only',
    'budget-spent',
    'all-failed',
  ]) {
    expect(seen).toContain(way);
  }
});

it.each(['crash', 'throttled', 'refusedConnection', 'halfWritten', 'denied', 'hangs'] as const)(
  'when both targets are down (%s) neither is hammered: the calls that open a circuit, then a probe at a time',
  async (fault) => {
    const { failures, openFor, maxOpenFor } = DEFAULT_POLICY.circuitBreaker;
    const minutes = 20;
    const down: Script = fault === 'hangs' ? 'hangs' : fails(fault, 5);
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), async (random) => {
        const clock = new FakeClock();
        const rules = { ...DEFAULT_POLICY, timeout: 1_000, cpuTimeout: 400 };
        const dispatcher = new Dispatcher(rules, { clock, random: () => random.next().value });
        const calls: RecordedCall[] = [];
        while (clock.now() < minutes * 60_000) {
          const targets = scriptedTargets(clock, { lambda: down, sagemaker: down });
          const pending = dispatcher.dispatch({ targets: 'any', payloadBytes: 1 }, targets.call);
          await clock.runAll();
          const decision = await pending;
          expect(decision.kind).toBe('failed');
          calls.push(...targets.calls);
          await clock.advance(1_000);
        }
        // At the soonest: a quarter less than the policy's wait, doubling.
        let probes = 0;
        for (let time = 0, wait = openFor; time < minutes * 60_000; wait = Math.min(maxOpenFor, wait * 2)) {
          time += wait * 0.75;
          probes++;
        }
        for (const target of ['lambda', 'sagemaker'] satisfies TargetName[]) {
          const count = calls.filter((made) => made.target === target).length;
          expect(count).toBeLessThanOrEqual(failures + probes);
          expect(count).toBeGreaterThan(failures);
        }
      }),
      { numRuns: 5 },
    );
  },
);

it('when both come back, so do the answers, and Lambda computes them again', async () => {
  const clock = new FakeClock();
  const dispatcher = new Dispatcher(DEFAULT_POLICY, { clock, random: MIDDLE });
  const send = async (scripts: Partial<Record<TargetName, Script>>) => {
    const { call } = scriptedTargets(clock, scripts);
    const pending = dispatcher.dispatch({ targets: 'any', payloadBytes: 1 }, call);
    await clock.runAll();
    await clock.advance(200);
    return await pending;
  };
  for (let time = 0; time < 3_000; time++) await send({ lambda: fails('crash'), sagemaker: fails('unavailable') });
  await clock.advance(DEFAULT_POLICY.circuitBreaker.maxOpenFor);
  const decisions: Decision<string>[] = [];
  for (let time = 0; time < 50; time++) decisions.push(await send({ lambda: answers(10), sagemaker: answers(5) }));
  expect(decisions.map(({ kind }) => kind)).toEqual(Array(50).fill('answered'));
  expect(decisions.at(-1)).toMatchObject({ by: 'lambda', reason: 'primary' });
});

it('hedged, the slowest of a hundred wait for the hedge and the GPU and no longer, within the extra load', async () => {
  const numbers = randomFloats(100_000, 7, 0, 1).values();
  const random = () => numbers.next().value ?? 0;
  const clock = new FakeClock();
  const hedgeAfter = 110;
  const dispatcher = new Dispatcher({ ...DEFAULT_POLICY, hedgeAfter }, { clock, random: MIDDLE });
  const service = () => 50 + 30 * random() + 20 * random() ** 4;
  const count = 5_000;
  const times: number[] = [];
  let extra = 0;
  for (let index = 0; index < count; index++) {
    const slow = random() < 0.02 ? 10 : 1;
    const targets = scriptedTargets(clock, { lambda: answers(service() * slow), sagemaker: answers(service()) });
    const began = clock.now();
    const pending = dispatcher
      .dispatch({ targets: 'any', payloadBytes: 1 }, targets.call)
      .then(() => times.push(clock.now() - began));
    await clock.runAll();
    await pending;
    extra += executions(targets.calls) - 1;
  }
  times.sort((left, right) => left - right);
  const p99 = times[Math.ceil(count * 0.99) - 1];
  // The GPU's median is that of `service`, 68 ms.
  expect(p99).toBeLessThanOrEqual(hedgeAfter + 1.3 * 68 + 10);
  expect(p99).toBeGreaterThan(hedgeAfter);
  expect(extra / count).toBeGreaterThan(0.015);
  expect(extra / count).toBeLessThanOrEqual(0.1);
});
