import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, MAX_TIMEOUT_MS, parsePolicy } from '../../lib/artifact/router-policy.js';
import { refusalOf } from '../support/refusal.js';

describe('a policy', () => {
  it('is the default where the variable says nothing', () => {
    for (const text of [undefined, '', ' ', '{}']) expect(parsePolicy(text)).toEqual(DEFAULT_POLICY);
    expect(MAX_TIMEOUT_MS).toBeLessThan(29_000);
  });

  it('names only what differs; half of the time is for Lambda, and no breaker opens for longer than it may stay open', () => {
    expect(parsePolicy('{"timeout":9001,"hedgeAfter":120,"circuitBreaker":{"openFor":90000}}')).toEqual({
      ...DEFAULT_POLICY,
      timeout: 9001,
      cpuTimeout: 4501,
      hedgeAfter: 120,
      circuitBreaker: { failures: 5, openFor: 90_000, maxOpenFor: 90_000 },
    });
    const whole = {
      timeout: 2000,
      cpuTimeout: 2000,
      maxCpuBatch: 8,
      maxCpuPayload: 1,
      hedgeAfter: 1,
      circuitBreaker: { failures: 1, openFor: 1, maxOpenFor: 1 },
      extraLoad: 0,
      onGpuUnavailable: 'queue',
    };
    expect(parsePolicy(JSON.stringify(whole))).toEqual(whole);
  });

  it.each([
    ['no', 'It is no JSON.'],
    ['[]', 'It is [] and should be an object.'],
    ['null', 'It is null and should be an object.'],
    ['{"timeout":28001}', 'timeout is 28001 and should be a whole number, 100 to 28000.'],
    ['{"timeout":200,"cpuTimeout":201}', 'cpuTimeout is 201 and should be a whole number, 1 to 200.'],
    ['{"maxCpuBatch":0}', 'maxCpuBatch is 0 and should be a whole number, 1 or more.'],
    ['{"maxCpuPayload":"4 MB"}', 'maxCpuPayload is "4 MB" and should be a whole number, 1 or more.'],
    ['{"hedgeAfter":1.5}', 'hedgeAfter is 1.5 and should be a whole number, 1 to 28000.'],
    ['{"extraLoad":0.11}', 'extraLoad is 0.11 and should be a number, 0 to 0.1.'],
    ['{"circuitBreaker":3}', 'circuitBreaker is 3 and should be an object.'],
    ['{"circuitBreaker":{"failures":0}}', 'circuitBreaker.failures is 0 and should be a whole number, 1 or more.'],
    [
      '{"circuitBreaker":{"openFor":9,"maxOpenFor":8}}',
      'circuitBreaker.maxOpenFor is 8 and should be a whole number, 9 to 3600000.',
    ],
    ['{"circuitBreaker":{"reset":1}}', 'circuitBreaker.reset is nothing that a policy has.'],
    ['{"hedgeafter":5}', 'hedgeafter is nothing that a policy has.'],
    ['{"onGpuUnavailable":"wait"}', "onGpuUnavailable is \"wait\" and should be 'queue' or 'fail'."],
  ])('%s is refused', async (text, problem) => {
    const refusal = await refusalOf(() => parsePolicy(text));
    expect(refusal).toMatchObject({ code: 'POLICY_INVALID', message: expect.stringContaining(problem) });
  });

  it('is refused with all its problems at once', async () => {
    const refusal = await refusalOf(() => parsePolicy('{"timeout":1,"extraLoad":2,"onGpuUnavailable":"never","x":1}'));
    for (const name of ['timeout is', 'extraLoad is', 'onGpuUnavailable is', 'x is nothing']) {
      expect(refusal.message).toContain(name);
    }
  });
});
