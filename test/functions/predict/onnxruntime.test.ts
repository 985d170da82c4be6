import { describe, expect, it } from 'vitest';
import { memoizedUntilRejected } from '../../../functions/predict/memoized.js';
import { sessionOptions, threadsFor } from '../../../functions/predict/onnxruntime.js';

describe('threads', () => {
  it.each([
    ['128', 1],
    ['1768', 1],
    ['1769', 1],
    ['2653', 1],
    ['2654', 2],
    ['3538', 2],
    ['10240', 6],
    [undefined, 1],
    ['', 1],
    ['much', 1],
  ])('for %s MB are %d', (memory, threads) => {
    expect(threadsFor(memory)).toBe(threads);
  });
});

describe('session options', () => {
  it('are the defaults where the manifest says nothing', () => {
    expect(sessionOptions({}, 2)).toEqual({
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      intraOpNumThreads: 2,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
    });
  });

  it('carry what the manifest says, config entries nested by their dots', () => {
    const settings = {
      graphOptimizationLevel: 'basic',
      enableCpuMemArena: false,
      enableMemPattern: false,
      configEntries: { 'session.disable_prepacking': '1', 'session.intra_op.allow_spinning': '0', plain: 'x' },
    } as const;
    expect(sessionOptions(settings, 1)).toMatchObject({
      graphOptimizationLevel: 'basic',
      enableCpuMemArena: false,
      enableMemPattern: false,
      extra: { session: { disable_prepacking: '1', intra_op: { allow_spinning: '0' } }, plain: 'x' },
    });
  });
});

describe('a memoized promise', () => {
  it('is made once for all who ask, and again after it was rejected', async () => {
    let made = 0;
    const get = memoizedUntilRejected(async () => {
      made++;
      if (made === 1) throw new Error('first');
      return made;
    });
    const [left, right] = await Promise.allSettled([get(), get()]);
    expect([left.status, right.status, made]).toEqual(['rejected', 'rejected', 1]);
    expect(await Promise.all([get(), get(), get()])).toEqual([2, 2, 2]);
  });
});
