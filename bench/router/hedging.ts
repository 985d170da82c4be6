/** One call in fifty is ten times too slow: what callers notice of it with a hedge and without, and what the hedge costs. */
import { buildDenseModel, type DenseModel } from '../../test/support/fault-run/dense-model.js';
import { MAX_CPU_BATCH } from '../../test/support/fault-run/fault-plan.js';
import { type NamedFault, startFaultyEndpoint } from '../../test/support/fault-run/faulty-endpoint.js';
import { randomFloats } from '../../test/support/random-numbers.js';
import { median, type SuiteContext } from '../suite.js';
import type { LambdaRuntime } from './lambda-runtime.js';
import { percentile, requestLines, timedRequests } from './timed-requests.js';

const CASE = 'hedging';
const REQUESTS = 4_000;
/** Enough for a p99 to compare with. */
const PLAIN_REQUESTS = 2_000;
const CALLERS = 4;
const HEDGE_AFTER_MS = 120;
/** Of every call, of either target. */
const MIN_SERVICE_MS = 50;
const SPREAD_MS = 30;
const SHARE_OF_SLOW = 0.02;
const TIMES_SLOWER = 10;
/** One request in so many is for the GPU from the start: they say how long that takes. */
const GPU_EVERY = 20;

export async function hedging(context: SuiteContext, runtime: LambdaRuntime): Promise<void> {
  const { row, bar } = context;
  const model = await buildDenseModel();
  try {
    const hedged = await run({ model, runtime, requests: REQUESTS, hedgeAfter: HEDGE_AFTER_MS });
    const plain = await run({ model, runtime, requests: PLAIN_REQUESTS });
    for (const [subject, { latencies, gpu, hedges, extraLoad, calls }] of [
      [`hedged after ${HEDGE_AFTER_MS} ms`, hedged],
      ['not hedged', plain],
    ] as const) {
      const rows: [string, number, string][] = [
        ['p50', percentile(latencies, 0.5), 'ms'],
        ['p99', percentile(latencies, 0.99), 'ms'],
        ['p99.9', percentile(latencies, 0.999), 'ms'],
        ['GPU p50', median(gpu), 'ms'],
        ['hedges', hedges, 'requests'],
        ['executed twice', extraLoad, 'requests'],
        ['calls of both targets / requests', calls, ''],
      ];
      for (const [metric, value, unit] of rows) row({ case: CASE, subject, metric, value, unit });
    }
    const allowed = HEDGE_AFTER_MS + 1.3 * median(hedged.gpu) + 10;
    bar(`hedged p99, ms (hedgeAfter + 1.3 x the GPU's p50 + 10)`, percentile(hedged.latencies, 0.99), { max: allowed });
    bar('hedged p99 / not hedged', percentile(hedged.latencies, 0.99) / percentile(plain.latencies, 0.99), { max: 1 });
    // Whoever loses goes on all the same: a call is an execution.
    bar('calls of both targets / requests, hedged', hedged.calls, { max: 1.1 });
    bar('requests executed twice / requests', hedged.extraLoad / REQUESTS, { max: 0.1 });
  } finally {
    model.remove();
  }
}

interface RunOptions {
  readonly model: DenseModel;
  readonly runtime: LambdaRuntime;
  readonly requests: number;
  readonly hedgeAfter?: number;
}

async function run({ model, runtime, requests, hedgeAfter }: RunOptions) {
  const endpoint = await startFaultyEndpoint({
    model,
    policy: { ...(hedgeAfter === undefined ? {} : { hedgeAfter }), maxCpuBatch: MAX_CPU_BATCH },
    routers: CALLERS,
    // A call whose answer nobody waits for any more goes on.
    reservedConcurrency: 2 * CALLERS,
    lambdaFault: serviceTimes(1),
    gpuFault: serviceTimes(2),
    runtime: (heapMiB) => runtime.command({ heapMiB }),
  });
  try {
    const batch = (request: number) => (request % GPU_EVERY === 0 ? MAX_CPU_BATCH + 1 : 1);
    // Environments start; budgets for second executions are saved.
    const warmUp = 40 * CALLERS;
    await timedRequests(endpoint, { from: requests, to: requests + warmUp, callers: CALLERS, batch });
    const calls = () => endpoint.lambda.calls.length + endpoint.gpu.calls.length;
    const before = calls();
    const answers = await timedRequests(endpoint, { from: 0, to: requests, callers: CALLERS, batch });
    const wrong = answers.find(({ result }) => result.statusCode !== 200);
    if (wrong !== undefined) throw new Error(`request ${wrong.number}: ${wrong.result.body}`);
    const lines = (await requestLines(endpoint, requests + warmUp)).filter(
      ({ correlation_id: id }) => Number(/\d+$/.exec(id)?.[0]) < requests,
    );
    const isForGpu = (number: number) => number % GPU_EVERY === 0;
    return {
      latencies: answers.filter(({ number }) => !isForGpu(number)).map(({ milliseconds }) => milliseconds),
      gpu: answers.filter(({ number }) => isForGpu(number)).map(({ milliseconds }) => milliseconds),
      hedges: lines.filter(({ Hedges }) => Hedges === 1).length,
      extraLoad: lines.filter(({ ExtraLoad }) => ExtraLoad === 1).length,
      calls: (calls() - before) / requests,
    };
  } finally {
    await endpoint.close();
  }
}

/** Each target is slow for requests of its own. */
function serviceTimes(seed: number): (request: number) => NamedFault {
  const draws = randomFloats(2 * 2 * REQUESTS, seed, 0, 1);
  return (request) => {
    const [spread = 0, slow = 1] = draws.subarray(2 * request, 2 * request + 2);
    const usual = MIN_SERVICE_MS + SPREAD_MS * spread ** 2;
    const milliseconds = slow < SHARE_OF_SLOW ? usual * TIMES_SLOWER : usual;
    return { name: 'service time', fault: { kind: 'delay', milliseconds } };
  };
}
