import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CircuitBreaker, type Permit } from '../../../../functions/router/policy/circuit-breaker.js';
import { FakeClock } from '../../../support/fake-clock.js';

const POLICY = { failures: 3, openFor: 1000, maxOpenFor: 4000 };
/** In the middle of the jitter: waits are those of the policy. */
const MIDDLE = 0.5;

function breakerWith(random = () => MIDDLE) {
  const clock = new FakeClock();
  return { clock, breaker: new CircuitBreaker(POLICY, clock, random) };
}

function fail(breaker: CircuitBreaker, times: number): void {
  for (let time = 0; time < times; time++) breaker.enter()?.failed();
}

describe('a circuit breaker', () => {
  it('opens with the third failure in a row, not with three that successes part', () => {
    const { breaker } = breakerWith();
    fail(breaker, 2);
    breaker.enter()?.succeeded();
    fail(breaker, 2);
    expect(breaker.state).toBe('closed');
    fail(breaker, 1);
    expect([breaker.state, breaker.enter(), breaker.waitMs]).toEqual(['open', undefined, 1000]);
  });

  it('lets one probe through when its time has come, and closes when that succeeds', async () => {
    const { breaker, clock } = breakerWith();
    fail(breaker, 3);
    await clock.advance(999);
    expect(breaker.enter()).toBeUndefined();
    await clock.advance(1);
    const probe = breaker.enter();
    expect([probe?.isProbe, breaker.state, breaker.canPass, breaker.enter()]).toEqual([
      true,
      'half-open',
      false,
      undefined,
    ]);
    probe?.succeeded();
    expect([breaker.state, breaker.enter()?.isProbe]).toEqual(['closed', false]);
  });

  it('waits twice as long after each probe that fails, up to the longest wait, and anew after it was closed', async () => {
    const { breaker, clock } = breakerWith();
    fail(breaker, 3);
    for (const wait of [1000, 2000, 4000, 4000]) {
      expect(breaker.waitMs).toBe(wait);
      await clock.advance(wait);
      breaker.enter()?.failed();
    }
    await clock.advance(4000);
    breaker.enter()?.succeeded();
    fail(breaker, 3);
    expect(breaker.waitMs).toBe(1000);
  });

  it('learns nothing from a probe that was abandoned, and tries again after the same wait', async () => {
    const { breaker, clock } = breakerWith();
    fail(breaker, 3);
    await clock.advance(1000);
    breaker.enter()?.abandoned();
    expect([breaker.state, breaker.waitMs]).toEqual(['open', 1000]);
  });

  it('counts one end of a call, and none of a call from before it opened or closed', async () => {
    const { breaker, clock } = breakerWith();
    const [twice, early, late] = [breaker.enter(), breaker.enter(), breaker.enter()];
    twice?.failed();
    twice?.failed();
    twice?.failed();
    expect(breaker.state).toBe('closed');
    fail(breaker, 2);
    early?.succeeded();
    expect(breaker.state).toBe('open');
    await clock.advance(1000);
    breaker.enter()?.succeeded();
    fail(breaker, 2);
    late?.failed();
    expect(breaker.state).toBe('closed');
  });

  it('opens when it is tripped, and is not opened for longer by it', async () => {
    const { breaker, clock } = breakerWith();
    breaker.trip();
    await clock.advance(400);
    breaker.trip();
    expect([breaker.state, breaker.waitMs]).toEqual(['open', 600]);
  });

  it('of environments that opened together does not let all probe together', () => {
    const waits = [0, 0.25, 0.999].map((random) => {
      const { breaker } = breakerWith(() => random);
      fail(breaker, 3);
      return Math.round(breaker.waitMs);
    });
    expect(waits).toEqual([750, 875, 1250]);
  });

  it('never has two probes, and never passes a call before its wait is over', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('enter' as const) }),
      fc.record({ kind: fc.constantFrom('succeed' as const, 'fail' as const, 'abandon' as const), which: fc.nat(5) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(1500) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.double({ min: 0, max: 0.999 }), async (steps, random) => {
        const { breaker, clock } = breakerWith(() => random);
        const open: Permit[] = [];
        let openedAt = Number.NaN;
        for (const next of steps) {
          const before = breaker.state;
          if (next.kind === 'enter') {
            const permit = breaker.enter();
            if (permit?.isProbe) {
              expect(open.filter(({ isProbe }) => isProbe)).toEqual([]);
              expect(clock.now() - openedAt).toBeGreaterThanOrEqual(POLICY.openFor * 0.75);
            } else if (permit !== undefined) expect(before).toBe('closed');
            if (permit !== undefined) open.push(permit);
          } else if (next.kind === 'wait') await clock.advance(next.ms);
          else {
            const [permit] = open.splice(next.which % Math.max(1, open.length), 1);
            if (next.kind === 'succeed') permit?.succeeded();
            if (next.kind === 'fail') permit?.failed();
            if (next.kind === 'abandon') permit?.abandoned();
          }
          if (breaker.state === 'open' && before !== 'open') openedAt = clock.now();
        }
      }),
      { numRuns: 200 },
    );
  });
});
