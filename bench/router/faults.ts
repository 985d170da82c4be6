/** Twenty thousand requests while everything around the router fails. */
import {
  FAULT_RUN_POLICY,
  type FaultRunReport,
  type MemorySample,
  runFaults,
} from '../../test/support/fault-run/fault-run.js';
import { median, type SuiteContext } from '../suite.js';
import type { LambdaRuntime } from './lambda-runtime.js';

const CASE = 'faults';
const REQUESTS = 20_000;
const SEED = 20_261_201;
const ROUTERS = 10;
/** Fewer than routers: what comes beyond is throttled. */
const RESERVED_CONCURRENCY = 7;
const GRACE_MS = 1_000;
/** Each fault happens at least so often. */
const MIN_INJECTED = 40;

/** What the plan can bring about; a fault that never happened has shown nothing. */
const CAUSES = [
  ...['throttled', 'throttled by reserved concurrency', 'service exception', 'function not ready', 'function error'],
  ...['event refused as too large', 'no result of HTTP', 'slow'],
].map((name) => `Lambda: ${name}`);
const GPU_CAUSES = [
  ...['cold: model not ready', 'cold: slow', 'service unavailable', 'internal failure', 'model error 400'],
  ...['model error 500', 'queue full', 'body too large'],
].map((name) => `GPU: ${name}`);
const BROKEN = [
  ...['connection reset', 'lost acknowledgement', 'half-written body', 'body cut short', 'silence'],
  ...['stuck within the body', 'slow body'],
].flatMap((name) => [`Lambda: ${name}`, `GPU: ${name}`]);
const QUEUE_CAUSES = [
  ...['lost acknowledgement', 'half-written body', 'connection reset', 'internal failure', 'throttled'],
  'service unavailable',
].map((name) => `queue: ${name}`);
const STORAGE_CAUSES = ['lost acknowledgement', 'connection reset', 'slow down', 'silence'].map(
  (name) => `S3: ${name}`,
);
const ENDS = ['signal SIGKILL', 'exit code 1', 'signal SIGABRT', 'ended at its timeout'].map(
  (end) => `process: ${end}`,
);
const EXPECTED = [
  ...[...CAUSES, ...GPU_CAUSES, ...BROKEN, ...QUEUE_CAUSES, ...STORAGE_CAUSES, ...ENDS],
  'Lambda: signature of another time',
];

/** Each form is answered by each target. */
const PREDICTIONS = ['json', 'binary', 'rows', 'sound'].flatMap((form) =>
  ['lambda', 'sagemaker'].map((by) => `${form} by ${by}`),
);

export async function faults({ row, bar, note }: SuiteContext, runtime: LambdaRuntime): Promise<void> {
  const report = await runFaults({
    ...{ requests: REQUESTS, seed: SEED, routers: ROUTERS, reservedConcurrency: RESERVED_CONCURRENCY },
    grace: GRACE_MS,
    runtime: (heapMiB) => runtime.command({ heapMiB }),
    onProgress: (done) => note(`${done} requests`),
  });
  for (const violation of report.violations.slice(0, 20)) note(violation);
  const count = (subject: string, metric: string, value: number, unit = 'requests') =>
    row({ case: CASE, subject, metric, value, unit });
  for (const [answer, times] of sorted(report.answers)) count('answer', answer, times);
  for (const [what, times] of sorted(report.predictions)) count('prediction', what, times);
  for (const [cause, times] of sorted(report.injected)) count('fault', cause, times, 'times');
  count('fault', 'clock jumps', report.clockJumps, 'times');
  count('router', 'executed twice', report.extraLoad);
  count('router', 'executions of the model', report.executions, 'times');
  const { jobs } = report;
  count('jobs', 'by key', jobs.jobs, 'jobs');
  count('jobs', '202 that named one', jobs.answers);
  count('jobs', 'submitted', jobs.submissions, 'times');
  count('jobs', 'submitted again after a loss', jobs.resubmissions, 'times');
  count('router', 'longest answer', report.slowestMs, 'ms');
  count('router', 'whole run', report.seconds, 's');
  const answers = [...report.answers.values()].reduce((sum, times) => sum + times, 0);
  bar(`of ${REQUESTS} requests, answers`, answers, { min: REQUESTS });
  bar(
    `requests without exactly one prediction, job or well-formed refusal within ${FAULT_RUN_POLICY.timeout + GRACE_MS} ms`,
    report.violations.length,
    { max: 0 },
  );
  const rarest = EXPECTED.map((cause) => ({ cause, times: report.injected.get(cause) ?? 0 })).sort(
    (one, other) => one.times - other.times,
  )[0];
  bar(`times that the rarest fault happened (${rarest?.cause})`, rarest?.times ?? 0, { min: MIN_INJECTED });
  const fewest = PREDICTIONS.map((what) => ({ what, times: report.predictions.get(what) ?? 0 })).sort(
    (one, other) => one.times - other.times,
  )[0];
  bar(`predictions of the rarest form and target (${fewest?.what})`, fewest?.times ?? 0, { min: MIN_INJECTED });
  bar('requests executed twice / requests', report.extraLoad / REQUESTS, { max: 0.1 });
  const paidFor = report.extraLoad + jobs.resubmissions;
  bar('executions beyond requests and those paid for', report.executions - REQUESTS - paidFor, { max: 0 });
  // That each has its prediction is among the violations.
  bar('jobs with a prediction', jobs.jobs, { min: MIN_INJECTED });
  bar('jobs submitted again although nothing was lost', jobs.resubmittedWithoutLoss, { max: 0 });
  memory({ row, bar }, report);
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([one], [other]) => one.localeCompare(other));
}

/**
 * Of the environment that grew most; the first quarter is for what is loaded once. The least that is held in a quarter: between two
 * events a process also has what the last large body left in its buffers.
 */
function memory({ row, bar }: Pick<SuiteContext, 'row' | 'bar'>, { memory: environments }: FaultRunReport): void {
  const least = worst(environments, (samples) => Math.min(...samples.map(({ held }) => held)));
  const resident = worst(environments, (samples) => median(samples.map(({ rss }) => rss)));
  for (const [metric, values] of [
    ['least held', least],
    ['median resident', resident],
  ] as const) {
    for (const [index, value] of values.entries()) {
      row({ case: CASE, subject: `router, quarter ${index + 1}`, metric, value, unit: 'bytes' });
    }
  }
  const growth = least.length === 4 ? ratio(least) : null;
  bar('memory that the router holds in the last quarter / in the second', growth, { max: 1.1 });
}

/** By quarter, of the environment that grew most. */
function worst(
  environments: readonly (readonly MemorySample[])[],
  figure: (samples: readonly MemorySample[]) => number,
): readonly number[] {
  const quarters = environments.flatMap((samples) => {
    const size = Math.floor(samples.length / 4);
    if (size < MIN_SAMPLES) return [];
    return [[0, 1, 2, 3].map((quarter) => figure(samples.slice(quarter * size, (quarter + 1) * size)))];
  });
  return quarters.sort((one, other) => ratio(other) - ratio(one))[0] ?? [];
}

/** Of a quarter. */
const MIN_SAMPLES = 5;

function ratio([, second = Number.NaN, , last = Number.NaN]: readonly number[]): number {
  return last / second;
}
