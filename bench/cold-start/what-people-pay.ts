/** What our function takes of billed time at three memory sizes, and what that costs. */
import { invocationCost } from '../../lib/cost/invocation-cost.js';
import { PRICES } from '../../lib/cost/prices.js';
import { HOST_ARCHITECTURE } from '../../test/support/predict-function.js';
import { median, type SuiteContext } from '../suite.js';
import type { ComparisonOptions } from './compare-peers.js';
import { startOnce } from './start.js';
import { ours } from './subjects.js';
import { coldStartOf, requestTimes } from './timings.js';

const MEMORY_SIZES = [512, 1769, 3008];
const STARTS = 7;
const REQUESTS = 8;
/** The first requests of an environment are not yet what later ones take. */
const SETTLING = 3;
const MILLION = 1e6;

export async function whatPeoplePay({ row }: SuiteContext, options: ComparisonOptions): Promise<void> {
  const { model, openSandbox } = options;
  const subject = await ours('fp32', { ...options, parent: `${options.parent}-cost` });
  const sandbox = openSandbox();
  try {
    const runs = MEMORY_SIZES.map((memorySize) => ({ memorySize, starts: [] as string[][] }));
    for (let round = 0; round < STARTS; round++) {
      for (const { memorySize: memoryMiB, starts } of runs) {
        const settings = { runtime: sandbox.runtime, memoryMiB, expected: model.expected, requests: REQUESTS };
        starts.push(await startOnce(subject, settings));
      }
    }
    for (const { memorySize, starts } of runs) {
      const init = median(starts.map((lines) => coldStartOf(lines).init));
      const first = median(starts.map((lines) => coldStartOf(lines).handled));
      const run = median(starts.flatMap((lines) => requestTimes(lines).slice(SETTLING)));
      const cost = (milliseconds: number) =>
        MILLION * invocationCost({ architecture: HOST_ARCHITECTURE, memorySize, milliseconds });
      const rows: [string, number, string][] = [
        ['billed init', init, 'ms'],
        ['billed first run', first, 'ms'],
        ['billed run', run, 'ms'],
        ['a million warm', cost(run), 'USD'],
        ['a million cold', cost(init + first), 'USD'],
      ];
      const note = `${PRICES.region}, ${HOST_ARCHITECTURE}, ${PRICES.date}`;
      for (const [metric, value, unit] of rows) {
        const said = unit === 'USD' ? { note } : {};
        row({ case: `${model.name}, cost`, subject: `ours at ${memorySize} MB`, metric, value, unit, ...said });
      }
    }
  } finally {
    sandbox.remove();
  }
}
