/** What became of the jobs: each is asked for until it has its prediction, and SageMaker's list says how often each was submitted. */
import { randomUUID } from 'node:crypto';
import type { LoopbackFunction } from '../loopback-lambda.js';
import { type FunctionResult, httpEvent } from '../predict-function.js';
import type { FaultyQueue } from './faulty-queue.js';
import type { PredictionOracle, PredictionRequest } from './prediction.js';

export interface Job {
  readonly location: string;
  readonly key: string;
  readonly request: PredictionRequest;
}

export interface JobReport {
  /** By key. */
  readonly jobs: number;
  /** Answers that named one. */
  readonly answers: number;
  readonly submissions: number;
  /** Submissions beyond each job's first. */
  readonly resubmissions: number;
  /** Jobs that were submitted again although their first submission was not lost. */
  readonly resubmittedWithoutLoss: number;
  readonly violations: readonly string[];
}

/** Longer than a submission's lease (functions/router/jobs/job-queue.ts), and less than what a clock may be wrong. */
const LATER_MS = 60_000;
const MAX_LOOKS = 20;

/** @param router asked for each job by as many callers as it has environments */
export async function followJobs(
  answers: readonly Job[],
  { router, routers, oracle, faulty }: FollowOptions,
): Promise<JobReport> {
  faulty.isCalm = true;
  faulty.s3.clockOffset = LATER_MS;
  const violations: string[] = [];
  const jobs = new Map<string, Job>();
  for (const job of answers) {
    const first = jobs.get(job.key) ?? job;
    if (first.location !== job.location) violations.push(`${job.key} is ${first.location} and ${job.location}`);
    jobs.set(job.key, first);
  }
  const waiting = [...jobs.values()];
  const follow = async () => {
    for (let job = waiting.pop(); job !== undefined; job = waiting.pop()) {
      const fault = await faultOf(job, router, oracle);
      if (fault !== undefined) violations.push(`job ${job.key}: ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: routers }, follow));
  const submitted = new Map<string, number>();
  for (const { inferenceId } of faulty.queue.taken) submitted.set(inferenceId, (submitted.get(inferenceId) ?? 0) + 1);
  const again = [...submitted].filter(([, times]) => times > 1);
  return {
    jobs: jobs.size,
    answers: answers.length,
    submissions: faulty.queue.taken.length,
    resubmissions: again.reduce((sum, [, times]) => sum + times - 1, 0),
    resubmittedWithoutLoss: again.filter(([id]) => !faulty.lost.has(id)).length,
    violations,
  };
}

export interface FollowOptions {
  readonly router: LoopbackFunction;
  readonly routers: number;
  readonly oracle: PredictionOracle;
  readonly faulty: FaultyQueue;
}

/** What is wrong with a job's result; undefined where it is the prediction. */
async function faultOf(job: Job, router: LoopbackFunction, oracle: PredictionOracle): Promise<string | undefined> {
  let last = '';
  for (let look = 0; look < MAX_LOOKS; look++) {
    const event = httpEvent({ method: 'GET', path: job.location });
    const { outcome } = await router.invokeRaw(randomUUID(), JSON.stringify(event));
    if (outcome.kind !== 'response') return JSON.stringify(outcome);
    const result = JSON.parse(outcome.payload) as FunctionResult;
    if (result.statusCode === 200 && result.headers['x-cdk-onnx-reason'] === 'job') {
      return await oracle.fault(job.request, result);
    }
    last = `${result.statusCode}: ${result.body.slice(0, 300)}`;
    // The first call after the clock's jump of an environment, or a connection that died meanwhile.
    if (result.statusCode !== 200 && result.statusCode !== 503) break;
  }
  return last;
}
