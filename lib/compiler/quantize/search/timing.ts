/** How long models take to open and to run, side by side: in turn, in processes of their own, medians. */
import type { SessionSettings } from '../../../artifact/manifest.js';
import type { Feeds } from '../../data/data-set.js';
import { openSession } from '../../runtime/session.js';
import type { Timing } from './search-result.js';

export interface TimedModel {
  readonly path: string;
  readonly settings: SessionSettings;
  /** What it runs on. */
  readonly feeds: Feeds;
}

export interface TimingOptions {
  /** How often each model is opened. Default 5. */
  readonly rounds?: number;
  readonly signal: AbortSignal;
  readonly onRound?: (done: number, of: number) => void;
}

/** Warm runs of one session: as many as fit, within these. */
const FEWEST_RUNS = 5;
const MOST_RUNS = 40;
const RUN_MILLISECONDS = 250;

/** In the order of `models`. Every other round goes backwards, so that none always follows the same one. */
export async function timeModels(
  models: readonly TimedModel[],
  { rounds = 5, signal, onRound }: TimingOptions,
): Promise<Timing[]> {
  const taken = models.map(() => ({ open: [] as number[], firstRun: [] as number[], run: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    const order = [...models.keys()];
    if (round % 2 === 1) order.reverse();
    for (const index of order) {
      const [model, into] = [models[index], taken[index]];
      if (model === undefined || into === undefined) continue;
      await using session = await openSession(model.path, { settings: model.settings, signal });
      into.open.push(session.openMilliseconds);
      into.firstRun.push((await session.run(model.feeds)).milliseconds);
      const runs: number[] = [];
      for (let spent = 0; runs.length < FEWEST_RUNS || (spent < RUN_MILLISECONDS && runs.length < MOST_RUNS); ) {
        const { milliseconds } = await session.run(model.feeds);
        runs.push(milliseconds);
        spent += milliseconds;
      }
      into.run.push(median(runs));
    }
    onRound?.(round + 1, rounds);
  }
  return taken.map(({ open, firstRun, run }) => ({ open: median(open), firstRun: median(firstRun), run: median(run) }));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
