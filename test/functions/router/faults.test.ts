/** Hundreds of requests through the real bundles while both targets fail at random: one right answer, one job or one well-formed refusal for each. */
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { runFaults } from '../../support/fault-run/fault-run.js';

/** `npm run bench -- router` sends 20,000. */
const REQUESTS = 240;
const ROUTERS = 6;
const SEED = process.env.FAULTS_SEED === 'random' ? randomInt(2 ** 31) : 11;
/** The deadline is the router's; this process shares a busy machine with it. */
const GRACE_MS = 20_000;

it(`each of ${REQUESTS} requests gets one answer in its time: a right prediction, a job that has one, or a refusal that says why (seed ${SEED})`, async () => {
  const report = await runFaults({
    requests: REQUESTS,
    seed: SEED,
    routers: ROUTERS,
    reservedConcurrency: ROUTERS - 2,
    grace: GRACE_MS,
  });
  expect(report.violations).toEqual([]);
  expect(total(report.answers, '')).toBe(REQUESTS);
  const { jobs, extraLoad, executions } = report;
  // Each environment of the router rounds up.
  expect(extraLoad).toBeLessThanOrEqual(Math.ceil(REQUESTS / 10) + ROUTERS);
  expect(executions).toBeLessThanOrEqual(REQUESTS + extraLoad + jobs.resubmissions);
  expect(jobs.resubmittedWithoutLoss).toBe(0);
  expect(jobs.submissions - jobs.resubmissions).toBeGreaterThanOrEqual(jobs.jobs);
  // The faults did their work. What each brought about depends on the machine: on a slow one more requests run out of time.
  for (const target of ['Lambda: ', 'GPU: ']) expect(total(report.injected, target)).toBeGreaterThan(REQUESTS / 24);
  for (const form of ['json', 'binary', 'rows', 'sound']) expect(total(report.predictions, form)).toBeGreaterThan(0);
  for (const target of ['200 lambda: ', '200 sagemaker: ']) expect(total(report.answers, target)).toBeGreaterThan(0);
}, 300_000);

/** Of all that begin so. */
function total(counts: ReadonlyMap<string, number>, beginning: string): number {
  return [...counts].filter(([what]) => what.startsWith(beginning)).reduce((sum, [, times]) => sum + times, 0);
}
