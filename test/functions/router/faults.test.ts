/** Hundreds of requests through the real bundles while both targets fail at random: one right answer or one well-formed refusal for each. */
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { runFaults } from '../../support/fault-run/fault-run.js';

/** `npm run bench -- router` sends 20,000. */
const REQUESTS = 400;
const ROUTERS = 4;
const SEED = process.env.FAULTS_SEED === 'random' ? randomInt(2 ** 31) : 11;
/** The deadline is the router's; this process shares a busy machine with it. */
const GRACE_MS = 20_000;

it(`each of ${REQUESTS} requests gets one answer in its time, right or well-formed (seed ${SEED})`, async () => {
  const report = await runFaults({
    requests: REQUESTS,
    seed: SEED,
    routers: ROUTERS,
    reservedConcurrency: ROUTERS - 1,
    grace: GRACE_MS,
  });
  expect(report.violations).toEqual([]);
  const answers = [...report.answers.values()].reduce((sum, count) => sum + count, 0);
  expect(answers).toBe(REQUESTS);
  // Each environment of the router rounds up.
  expect(report.extraLoad).toBeLessThanOrEqual(Math.ceil(REQUESTS / 10) + ROUTERS);
  expect(report.executions).toBeLessThanOrEqual(REQUESTS + report.extraLoad);
  // The faults did their work: answers came from both, by choice and by need, and some requests were refused.
  for (const what of ['200 lambda: primary', '200 sagemaker: batch-too-large', '200 sagemaker: connection', '503']) {
    expect([...report.answers.keys()].filter((each) => each.startsWith(what))).not.toEqual([]);
  }
  expect([...report.injected.keys()].filter((what) => what.startsWith('process: '))).not.toEqual([]);
}, 300_000);
