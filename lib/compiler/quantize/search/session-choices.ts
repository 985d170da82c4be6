/** Session options worth measuring, and which wins for a goal. */
import type { SessionSettings } from '../../../artifact/manifest.js';
import type { Goal, Timing } from './search-result.js';

const WITHOUT_PREPACKING = { configEntries: { 'session.disable_prepacking': '1' } };

/** The first is the default, which wins where the others are not clearly better. */
export const SESSION_CHOICES: readonly SessionSettings[] = [
  { graphOptimizationLevel: 'all' },
  { graphOptimizationLevel: 'all', ...WITHOUT_PREPACKING },
  { graphOptimizationLevel: 'basic' },
  { graphOptimizationLevel: 'basic', ...WITHOUT_PREPACKING },
];

/** Timings of one machine differ by this much for no reason. */
const CLEARLY = 0.97;
/** What a cold start that is faster may cost every warm run. */
const BEARABLE = 1.1;

/** @param timings in the order of the choices */
export function chooseSession(timings: readonly Timing[], goal: Goal): number {
  const fastest = Math.min(...timings.map(({ run }) => run));
  let best = 0;
  for (const [index, timing] of timings.entries()) {
    const current = timings[best];
    if (current === undefined) continue;
    const bearable = goal === 'latency' || timing.run <= fastest * BEARABLE;
    const currentIsBearable = goal === 'latency' || current.run <= fastest * BEARABLE;
    if (bearable && (!currentIsBearable || costOf(timing, goal) < costOf(current, goal) * CLEARLY)) best = index;
  }
  return best;
}

/** What a goal minimizes, milliseconds; a model that is to be small is to start fast too. */
export function costOf({ open, firstRun, run }: Timing, goal: Goal): number {
  return goal === 'latency' ? run : open + firstRun;
}
