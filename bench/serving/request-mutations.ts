/** Requests damaged at random, sent to the real bundle: how they are answered, and that none brings the function down. */
import { mutateAndInvoke } from '../../test/support/request-mutation/mutate-and-invoke.js';
import { node24 } from '../node24.js';
import type { SuiteContext } from '../suite.js';

const COUNT = 10_000;
const CASE = 'mutations';
/** The test in CI begins at 1: these are others. */
const SEED = 1_000_000;

export async function requestMutations({ row, bar, note }: SuiteContext): Promise<void> {
  const report = await mutateAndInvoke({ count: COUNT, seed: SEED, node: node24() });
  for (const { seed, what, request } of report.failures.slice(0, 10)) note(`seed ${seed}: ${what}\n  ${request}`);
  for (const [status, times] of Object.entries(report.statuses)) {
    row({ case: CASE, subject: 'damaged requests', metric: `answered ${status}`, value: times, unit: 'requests' });
  }
  const figures: [string, number, string][] = [
    ['error codes', Object.keys(report.codes).length, 'codes'],
    ['longest answer', report.slowestMs, 'ms'],
    ['crash, hang, 500 or uncoded', report.failures.length, 'requests'],
  ];
  for (const [metric, value, unit] of figures) row({ case: CASE, subject: 'damaged requests', metric, value, unit });
  bar(`of ${COUNT} damaged requests, neither answered nor refused with a code`, report.failures.length, { max: 0 });
}
