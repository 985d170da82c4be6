/** The circuit breaker of one environment: when it opens, how often it probes, when it closes, and what is asked while nothing answers. */
import { awsError } from '../../test/support/aws-answers.js';
import { buildDenseModel } from '../../test/support/fault-run/dense-model.js';
import {
  type FaultyEndpoint,
  type NamedFault,
  startFaultyEndpoint,
} from '../../test/support/fault-run/faulty-endpoint.js';
import type { SuiteContext } from '../suite.js';
import type { LambdaRuntime } from './lambda-runtime.js';
import { type TimedAnswer, timedRequests } from './timed-requests.js';

const CASE = 'breaker';
const BREAKER = { failures: 5, openFor: 500, maxOpenFor: 2_000 } as const;
/** Each wait is up to a quarter shorter or longer (circuit-breaker.ts), so that environments do not probe together. */
const JITTER = 0.25;
const ILL_MS = 6_000;
const DOWN_MS = 10_000;
const PAUSE_MS = 10;
/** More requests than any phase has. */
const MANY = 1_000_000;
/** An answer's own time, on a busy machine. */
const SLACK_MS = 500;

const ILL: NamedFault = { name: 'throttled', fault: awsError(429, 'TooManyRequestsException') };
const COLD: NamedFault = { name: 'model not ready', fault: awsError(429, 'ModelNotReadyException') };

export async function breaker({ row, bar }: SuiteContext, runtime: LambdaRuntime): Promise<void> {
  const model = await buildDenseModel();
  let [lambdaFault, gpuFault]: (NamedFault | undefined)[] = [undefined, undefined];
  const endpoint = await startFaultyEndpoint({
    ...{ model, routers: 1, reservedConcurrency: 2, policy: { circuitBreaker: BREAKER } },
    lambdaFault: () => lambdaFault,
    gpuFault: () => gpuFault,
    runtime: (heapMiB) => runtime.command({ heapMiB }),
  });
  const figure = (metric: string, value: number, unit: string) =>
    row({ case: CASE, subject: 'one environment', metric, value, unit });
  const phase = phases(endpoint);
  try {
    await phase({ requests: 20 });

    lambdaFault = ILL;
    const opening = await phase({ isOver: ({ result }) => result.headers['x-cdk-onnx-reason'] === 'circuit-open' });
    figure('failures until it opened', opening.lambda, 'calls');
    bar('calls of a failing Lambda until the circuit is open', opening.lambda, { max: BREAKER.failures });
    bar('requests without a prediction while it opens', opening.unanswered, { max: 0 });

    const ill = await phase({ milliseconds: ILL_MS });
    figure(`probes in ${ILL_MS / 1000} s`, ill.lambda, 'calls');
    bar('probes of a failing Lambda', ill.lambda, { min: 1 });
    bar('probes of a failing Lambda, at most', ill.lambda, { max: mostProbes(ILL_MS) });
    bar('requests without a prediction while it is open', ill.unanswered, { max: 0 });

    lambdaFault = undefined;
    const healing = await phase({ isOver: ({ result }) => result.headers['x-cdk-onnx-computed-by'] === 'lambda' });
    figure('from the end of the fault to the first answer of Lambda', healing.milliseconds, 'ms');
    bar('until a well Lambda is asked again, ms', healing.milliseconds, {
      max: BREAKER.maxOpenFor * (1 + JITTER) + SLACK_MS,
    });
    const closed = await phase({ requests: 100 });
    bar('of 100 requests behind a closed circuit, asked of Lambda', closed.lambda, { min: 100 });

    [lambdaFault, gpuFault] = [ILL, COLD];
    const down = await phase({ milliseconds: DOWN_MS });
    const perSecond = (calls: number) => (1000 * calls) / down.milliseconds;
    figure('requests while both are down', perSecond(down.requests), '1/s');
    figure('calls of Lambda while both are down', perSecond(down.lambda), '1/s');
    figure('calls of the GPU while both are down', perSecond(down.gpu), '1/s');
    const most = BREAKER.failures + mostProbes(DOWN_MS);
    bar(`calls of Lambda in ${DOWN_MS / 1000} s while both are down`, down.lambda, { max: most });
    bar(`calls of the GPU in ${DOWN_MS / 1000} s while both are down`, down.gpu, { max: most });
    bar('answers meanwhile that are no 503 with Retry-After', down.requests - down.refused, { max: 0 });

    [lambdaFault, gpuFault] = [undefined, undefined];
    const both = await phase({ isOver: ({ result }) => result.statusCode === 200 });
    figure('from the end of both faults to the first prediction', both.milliseconds, 'ms');
    bar('until a prediction after both were down, ms', both.milliseconds, {
      max: BREAKER.maxOpenFor * (1 + JITTER) + SLACK_MS,
    });
  } finally {
    await endpoint.close();
    model.remove();
  }
}

/** How many fit into a time when every wait is as short as it can be. */
function mostProbes(milliseconds: number): number {
  let probes = 0;
  let left = milliseconds;
  for (let wait: number = BREAKER.openFor; left > 0; wait = Math.min(BREAKER.maxOpenFor, 2 * wait)) {
    left -= wait * (1 - JITTER);
    if (left >= 0) probes += 1;
  }
  return probes;
}

interface PhaseOptions {
  /** Ends after so many, or */
  readonly requests?: number;
  /** … after so long, or */
  readonly milliseconds?: number;
  /** … with this answer. */
  readonly isOver?: (answer: TimedAnswer) => boolean;
}

/** One caller, request after request; what came of them and who was asked. */
function phases(endpoint: FaultyEndpoint) {
  let number = 0;
  return async ({ requests = MANY, milliseconds = Number.POSITIVE_INFINITY, isOver }: PhaseOptions) => {
    const before = { lambda: endpoint.lambda.calls.length, gpu: endpoint.gpu.calls.length };
    const began = performance.now();
    const answers = await timedRequests(endpoint, {
      ...{ from: number, to: number + requests, callers: 1, pause: PAUSE_MS },
      isOver: (answer) => answer.at - began >= milliseconds || isOver?.(answer) === true,
    });
    number += answers.length;
    return {
      requests: answers.length,
      milliseconds: (answers.at(-1)?.at ?? began) - began,
      lambda: endpoint.lambda.calls.length - before.lambda,
      gpu: endpoint.gpu.calls.length - before.gpu,
      unanswered: answers.filter(({ result }) => result.statusCode !== 200).length,
      refused: answers.filter(
        ({ result }) => result.statusCode === 503 && /^[1-9]\d?$/.test(result.headers['retry-after'] ?? ''),
      ).length,
    };
  };
}
