/** Requests to a deployed function, a bounded number of them at a time. */
import { RuntimeError } from '../../errors.js';
import type { DeployedFunction, Invocation } from './deployed-function.js';
import type { InvokeReport } from './invoke-report.js';

export interface LoadOptions {
  readonly requests: number;
  /** Requests that wait for their answer at the same time. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, of: number) => void;
}

/** One answered request. */
export interface Answered {
  /** Whether it started an environment; undefined where Lambda's report did not come with the answer. */
  readonly isCold: boolean | undefined;
  readonly roundTrip: number;
  readonly report: InvokeReport | undefined;
}

export interface LoadResult {
  readonly answered: readonly Answered[];
  readonly throttled: number;
  /** By status or reason. */
  readonly failed: ReadonlyMap<string, number>;
  /** Wall time of all, ms. */
  readonly milliseconds: number;
}

/** Throttles in a row after which asking on only costs money. */
const MAX_THROTTLES_IN_A_ROW = 20;

/**
 * @param event makes the request number n
 * @throws RuntimeError BENCHMARK_INVOKE, BENCHMARK_THROTTLED
 */
export async function sendLoad(
  target: DeployedFunction,
  event: (index: number) => string,
  { requests, concurrency, signal, onProgress }: LoadOptions,
): Promise<LoadResult> {
  const answered: Answered[] = [];
  const failed = new Map<string, number>();
  let throttled = 0;
  let inARow = 0;
  let next = 0;
  let done = 0;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const record = (invocation: Invocation) => {
    inARow = invocation.kind === 'throttled' ? inARow + 1 : 0;
    switch (invocation.kind) {
      case 'throttled':
        throttled += 1;
        break;
      case 'failed':
        failed.set(invocation.reason, (failed.get(invocation.reason) ?? 0) + 1);
        break;
      case 'answered': {
        const { answer, roundTrip, report } = invocation;
        if (answer.status === 200) {
          answered.push({
            isCold: report === undefined ? undefined : report.initDuration !== undefined,
            roundTrip,
            report,
          });
        } else {
          const reason = `${answer.status}: ${answer.isBase64Encoded ? '' : answer.body.slice(0, 300)}`;
          failed.set(reason, (failed.get(reason) ?? 0) + 1);
        }
      }
    }
  };
  const work = async () => {
    while (next < requests) {
      both.throwIfAborted();
      const index = next;
      next += 1;
      record(await target.invoke(event(index), both));
      done += 1;
      onProgress?.(done, requests);
      if (inARow >= MAX_THROTTLES_IN_A_ROW) throw throttling(inARow, answered.length);
    }
  };
  const start = performance.now();
  const workers = Array.from({ length: Math.min(concurrency, requests) }, work);
  try {
    await Promise.all(workers);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(workers);
    throw error;
  }
  return { answered, throttled, failed, milliseconds: performance.now() - start };
}

function throttling(count: number, answered: number): RuntimeError {
  return new RuntimeError({
    code: 'BENCHMARK_THROTTLED',
    message: `Lambda throttled ${count} requests in a row, after ${answered} answers.`,
    advice: "Lower --concurrency, or raise the function's reserved concurrency.",
  });
}
