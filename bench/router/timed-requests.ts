/** Requests through environments of the router, each of which serves one at a time, with what the router says of them. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultyEndpoint } from '../../test/support/fault-run/faulty-endpoint.js';
import { predictionEvent, predictionRequest } from '../../test/support/fault-run/prediction.js';
import type { FunctionResult } from '../../test/support/predict-function.js';

export interface TimedAnswer {
  readonly number: number;
  /** Since some beginning. */
  readonly at: number;
  readonly milliseconds: number;
  readonly result: FunctionResult;
}

export interface TimedOptions {
  readonly from: number;
  readonly to: number;
  /** At the same time. */
  readonly callers: number;
  /** Of a request. Default 1. */
  readonly batch?: (request: number) => number;
  /** Between an answer and the next request of a caller, in ms. Default 0. */
  readonly pause?: number;
  /** Ends the requests ahead of their number. */
  readonly isOver?: (answer: TimedAnswer) => boolean;
}

export async function timedRequests({ router }: FaultyEndpoint, options: TimedOptions): Promise<TimedAnswer[]> {
  const { from, to, callers, batch = () => 1, pause = 0, isOver = () => false } = options;
  const answers: TimedAnswer[] = [];
  let next = from;
  let hasEnded = false;
  const call = async () => {
    while (next < to && !hasEnded) {
      const number = next++;
      const event = JSON.stringify(predictionEvent(predictionRequest(number, 'json', batch(number))));
      const { outcome, runMs: milliseconds } = await router.invokeRaw(randomUUID(), event);
      if (outcome.kind !== 'response') throw new Error(`request ${number}: ${JSON.stringify(outcome)}`);
      const answer = { number, at: performance.now(), milliseconds, result: JSON.parse(outcome.payload) };
      answers.push(answer);
      hasEnded ||= isOver(answer);
      if (pause > 0) await sleep(pause);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return answers;
}

export interface RequestLine {
  readonly message: string;
  readonly correlation_id: string;
  readonly ExtraLoad?: number;
  readonly Hedges?: number;
  readonly GpuTime?: number;
}

/** One for each request so far. */
export async function requestLines({ router }: FaultyEndpoint, count: number): Promise<RequestLine[]> {
  for (let attempt = 0; ; attempt++) {
    const lines = router.lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as RequestLine)
      .filter(({ message }) => message === 'request');
    if (lines.length >= count || attempt === 20) return lines;
    await sleep(100);
  }
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
