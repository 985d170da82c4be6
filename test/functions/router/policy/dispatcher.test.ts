/** What the policy makes of single requests. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Demand } from '../../../../functions/router/policy/decision.js';
import { Dispatcher } from '../../../../functions/router/policy/dispatcher.js';
import type { TargetName } from '../../../../functions/router/policy/outcome.js';
import { DEFAULT_POLICY, type RouterPolicy } from '../../../../lib/artifact/router-policy.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { answers, fails, OUTCOMES, type Script, scriptedTargets } from '../../../support/scripted-targets.js';

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});

function dispatcherWith(policy: Partial<RouterPolicy> = {}): Dispatcher {
  return new Dispatcher(
    { ...DEFAULT_POLICY, timeout: 10_000, cpuTimeout: 5_000, ...policy },
    { clock, random: () => 0.5 },
  );
}

const REQUEST: Demand = { targets: 'any', payloadBytes: 100 };

/** One request from its start to its end, and when that was. */
async function send(dispatcher: Dispatcher, scripts: Partial<Record<TargetName, Script>>, demand = REQUEST) {
  const { call, calls } = scriptedTargets(clock, scripts);
  const start = clock.now();
  let end = Number.NaN;
  const pending = dispatcher.dispatch(demand, call).then((decision) => {
    end = clock.now();
    return decision;
  });
  await clock.runAll();
  const decision = await pending;
  return { decision, calls, asked: calls.map(({ target }) => target), took: end - start };
}

/** Until hedges and a second execution are paid for. */
async function saveUp(dispatcher: Dispatcher, requests = 40) {
  for (let count = 0; count < requests; count++) await send(dispatcher, { lambda: answers(1), sagemaker: answers(1) });
}

describe('a request', () => {
  it('is computed on Lambda, and no timer outlives it', async () => {
    const { decision, asked, took } = await send(dispatcherWith({ hedgeAfter: 100 }), {
      lambda: answers(20, 'by Lambda'),
    });
    expect(decision).toMatchObject({
      kind: 'answered',
      by: 'lambda',
      reason: 'primary',
      answer: 'by Lambda',
      isExtraLoad: false,
    });
    expect([asked, took, clock.pending]).toEqual([['lambda'], 20, 0]);
  });

  it.each([
    ['throttled', 'throttled', false],
    ['refusedConnection', 'connection', false],
    ['notReady', 'not-ready', false],
    ['denied', 'refused', false],
    ['tooLarge', 'payload-too-large', false],
    ['lost', 'connection', true],
    ['halfWritten', 'connection', true],
    ['crash', 'function-error', true],
    ['timeout', 'timeout', true],
    ['unavailable', 'unavailable', true],
  ] as const)(
    'that Lambda ends as %s goes to SageMaker: reason %s, extra load %s',
    async (outcome, reason, isExtraLoad) => {
      const { decision, asked } = await send(dispatcherWith(), {
        lambda: fails(outcome),
        sagemaker: answers(5, 'by GPU'),
      });
      expect(decision).toMatchObject({ kind: 'answered', by: 'sagemaker', reason, answer: 'by GPU', isExtraLoad });
      expect(asked).toEqual(['lambda', 'sagemaker']);
      expect(decision.attempts.map(({ outcome: ended }) => ended?.kind)).toEqual([OUTCOMES[outcome].kind, 'answer']);
    },
  );

  it('that Lambda holds goes to SageMaker after half of the time, and what is left of Lambda is aborted', async () => {
    const { decision, calls, took } = await send(dispatcherWith(), { lambda: 'hangs', sagemaker: answers(30) });
    expect(decision).toMatchObject({ kind: 'answered', by: 'sagemaker', reason: 'timeout', isExtraLoad: true });
    expect([took, calls[0]?.ended, calls[1]?.milliseconds]).toEqual([5_030, 'aborted', 5_000]);
  });

  it('that Lambda answers late is answered by it, if that comes first', async () => {
    const { decision, calls, took } = await send(dispatcherWith(), { lambda: answers(5_010), sagemaker: answers(30) });
    expect(decision).toMatchObject({ kind: 'answered', by: 'lambda', reason: 'primary', isExtraLoad: true });
    expect([took, calls[1]?.ended]).toEqual([5_010, 'aborted']);
  });

  it('with less time divides it in the same way', async () => {
    const demand = { ...REQUEST, timeLeft: 1_000 };
    const { took } = await send(dispatcherWith(), { lambda: 'hangs', sagemaker: answers(30) }, demand);
    expect(took).toBe(530);
    const late = await send(dispatcherWith(), { lambda: 'hangs' }, { ...REQUEST, timeLeft: -5 });
    expect([late.decision.kind, late.took]).toEqual(['failed', 0]);
  });

  it('that nobody answers in time fails at its deadline', async () => {
    const { decision, took, calls } = await send(dispatcherWith(), {});
    expect(decision).toMatchObject({ kind: 'failed', cause: 'deadline', retryAfterSeconds: 1 });
    expect([took, calls.map(({ ended }) => ended)]).toEqual([10_000, ['aborted', 'aborted']]);
  });

  it('that SageMaker had hardly time for says nothing about it, however much of the time is for Lambda', async () => {
    const circuitBreaker = { failures: 5, openFor: 3_600_000, maxOpenFor: 3_600_000 };
    const dispatcher = dispatcherWith({ cpuTimeout: 10_000, circuitBreaker });
    const { failures } = circuitBreaker;
    for (let count = 0; count < failures; count++) await send(dispatcher, { lambda: fails('throttled', 9_990) });
    expect(dispatcher.circuits).toEqual({ lambda: 'open', sagemaker: 'closed' });
    for (let count = 0; count < failures; count++) await send(dispatcher, {});
    expect(dispatcher.circuits.sagemaker).toBe('open');
  });

  it('that both fail says when to come back, as the targets say it', async () => {
    const { decision } = await send(dispatcherWith(), { lambda: fails('throttled'), sagemaker: fails('notReady') });
    expect(decision).toMatchObject({ kind: 'failed', cause: 'all-failed', retryAfterSeconds: 3 });
  });

  it('that the model on the GPU refuses is rejected when Lambda has failed, whichever ends first', async () => {
    const first = await send(dispatcherWith(), { lambda: fails('throttled'), sagemaker: fails('modelRefuses') });
    expect(first.decision).toMatchObject({ kind: 'rejected', by: 'sagemaker', fault: { status: 400 } });
    const hedging = dispatcherWith({ hedgeAfter: 10 });
    await saveUp(hedging);
    const last = await send(hedging, { lambda: fails('crash', 80), sagemaker: fails('modelRefuses') });
    expect(last.decision).toMatchObject({ kind: 'rejected', by: 'sagemaker', reason: 'hedge', fault: { status: 400 } });
  });

  it('that the model on the GPU cannot compute fails', async () => {
    const { decision } = await send(dispatcherWith(), { lambda: fails('throttled'), sagemaker: fails('modelFails') });
    expect(decision).toMatchObject({ kind: 'failed', cause: 'all-failed' });
  });

  it('that a call fails by its own mistake fails with that, and leaves nothing behind', async () => {
    const dispatched = dispatcherWith().dispatch(REQUEST, () => Promise.reject(new TypeError('a mistake')));
    await expect(dispatched).rejects.toThrow('a mistake');
    expect(clock.pending).toBe(0);
  });
});

describe('a request that is too large for Lambda', () => {
  it.each([
    [{ maxCpuBatch: 4 }, { batch: 5 }, 'batch-too-large'],
    [{ maxCpuPayload: 99 }, {}, 'payload-too-large'],
  ] as const)('by %j goes to SageMaker only', async (limits, demand, reason) => {
    const dispatcher = dispatcherWith(limits);
    const answered = await send(dispatcher, { sagemaker: answers(5) }, { ...REQUEST, ...demand });
    expect(answered.decision).toMatchObject({ kind: 'answered', by: 'sagemaker', reason, isExtraLoad: false });
    const failed = await send(
      dispatcher,
      { lambda: answers(1), sagemaker: fails('throttled') },
      { ...REQUEST, ...demand },
    );
    expect(failed.decision).toMatchObject({ kind: 'failed', cause: 'gpu-needed', retryAfterSeconds: 7 });
    expect([answered.asked, failed.asked]).toEqual([['sagemaker'], ['sagemaker']]);
  });

  it('is not when it has just the size', async () => {
    const dispatcher = dispatcherWith({ maxCpuBatch: 4, maxCpuPayload: 100 });
    const { asked } = await send(dispatcher, { lambda: answers(5) }, { ...REQUEST, batch: 4 });
    expect(asked).toEqual(['lambda']);
  });
});

describe('a request that only Lambda can answer', () => {
  const demand: Demand = { ...REQUEST, targets: 'lambda' };

  it('fails with Lambda, and at once while its circuit is open', async () => {
    const dispatcher = dispatcherWith();
    for (let time = 0; time < 5; time++) {
      const { decision, asked } = await send(dispatcher, { lambda: fails('crash'), sagemaker: answers(1) }, demand);
      expect([decision, asked]).toMatchObject([{ kind: 'failed', cause: 'lambda-only' }, ['lambda']]);
    }
    const { decision, asked } = await send(dispatcher, { lambda: answers(1) }, demand);
    expect([decision, asked]).toMatchObject([{ kind: 'failed', cause: 'circuit-open', retryAfterSeconds: 5 }, []]);
  });

  it('is rejected where Lambda refuses it for itself', async () => {
    const { decision } = await send(dispatcherWith(), { lambda: fails('tooLarge') }, demand);
    expect(decision).toMatchObject({ kind: 'rejected', by: 'lambda', fault: { status: 413 } });
  });
});

describe('a hedge', () => {
  it('wins where Lambda is slow, and counts as extra load', async () => {
    const dispatcher = dispatcherWith({ hedgeAfter: 100 });
    await saveUp(dispatcher);
    const { decision, took } = await send(dispatcher, { lambda: answers(800), sagemaker: answers(40) });
    expect(decision).toMatchObject({ by: 'sagemaker', reason: 'hedge', isExtraLoad: true });
    expect(took).toBe(140);
  });

  it('leaves the last second execution to a request that fails', async () => {
    const dispatcher = dispatcherWith({ hedgeAfter: 100 });
    const slow = await send(dispatcher, { lambda: answers(800), sagemaker: answers(40) });
    expect(slow.asked).toEqual(['lambda']);
    const failed = await send(dispatcher, { lambda: fails('crash'), sagemaker: answers(40) });
    expect(failed.decision).toMatchObject({ by: 'sagemaker', reason: 'function-error' });
  });

  it('that the target did not take is not paid for', async () => {
    const dispatcher = dispatcherWith({
      hedgeAfter: 100,
      circuitBreaker: { ...DEFAULT_POLICY.circuitBreaker, failures: 99 },
    });
    await saveUp(dispatcher, 11);
    for (let time = 0; time < 30; time++) {
      const { decision, asked } = await send(dispatcher, { lambda: answers(200), sagemaker: fails('throttled') });
      expect([decision, asked]).toMatchObject([{ by: 'lambda', isExtraLoad: false }, ['lambda', 'sagemaker']]);
    }
  });

  it('probes no target whose circuit is open', async () => {
    const dispatcher = dispatcherWith({ hedgeAfter: 100 });
    for (let time = 0; time < 5; time++)
      await send(dispatcher, { lambda: fails('throttled'), sagemaker: fails('throttled') });
    await clock.advance(5_000);
    await saveUp(dispatcher);
    expect(dispatcher.circuits).toEqual({ lambda: 'closed', sagemaker: 'open' });
    const { asked } = await send(dispatcher, { lambda: answers(800), sagemaker: answers(1) });
    expect(asked).toEqual(['lambda']);
  });
});

describe('when Lambda goes on failing', () => {
  it('throttled five times in a row, it is not asked any more, until a probe finds it well', async () => {
    const dispatcher = dispatcherWith();
    for (let time = 0; time < 5; time++) await send(dispatcher, { lambda: fails('throttled'), sagemaker: answers(1) });
    const open = await send(dispatcher, { lambda: answers(1), sagemaker: answers(1) });
    expect([open.asked, open.decision]).toMatchObject([['sagemaker'], { reason: 'circuit-open', isExtraLoad: false }]);
    await clock.advance(5_000);
    const probe = await send(dispatcher, { lambda: answers(1), sagemaker: answers(1) });
    expect([probe.asked, dispatcher.circuits.lambda]).toEqual([['lambda'], 'closed']);
  });

  it('is left alone as soon as a failure finds no second execution saved: one request pays for that', async () => {
    const dispatcher = dispatcherWith();
    const kinds: string[] = [];
    for (let time = 0; time < 4; time++) {
      const { decision } = await send(dispatcher, { lambda: fails('crash'), sagemaker: answers(1) });
      kinds.push(decision.kind === 'answered' ? decision.reason : decision.kind === 'failed' ? decision.cause : '');
    }
    expect(kinds).toEqual(['function-error', 'budget-spent', 'circuit-open', 'circuit-open']);
  });

  it('is probed only when a probe that fails can be made up for', async () => {
    const dispatcher = dispatcherWith();
    for (let time = 0; time < 2; time++) await send(dispatcher, { lambda: fails('crash'), sagemaker: answers(1) });
    await clock.advance(5_000);
    const asked: string[] = [];
    for (let time = 0; time < 9; time++) {
      const sent = await send(dispatcher, { lambda: fails('crash'), sagemaker: answers(1) });
      expect(sent.decision.kind).toBe('answered');
      asked.push(sent.asked.join('+'));
    }
    expect(asked.slice(0, 8)).toEqual(Array(8).fill('sagemaker'));
    expect(asked[8]).toBe('lambda+sagemaker');
  });

  it('is asked again where nothing may be executed twice, too', async () => {
    const dispatcher = dispatcherWith({ extraLoad: 0 });
    const failed = await send(dispatcher, { lambda: fails('crash'), sagemaker: answers(1) });
    const open = await send(dispatcher, { lambda: answers(1), sagemaker: answers(1) });
    await clock.advance(5_000);
    const probe = await send(dispatcher, { lambda: answers(1), sagemaker: answers(1) });
    expect([failed.asked, open.asked, probe.asked]).toEqual([['lambda'], ['sagemaker'], ['lambda']]);
    expect(dispatcher.circuits.lambda).toBe('closed');
  });
});
