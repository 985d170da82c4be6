/** How long models take on this machine, each in a child process of its own with one thread, in turn. */
import type { Feeds } from '../data/data-set.js';
import { openSession, type RuntimeSession } from '../runtime/session.js';
import type { ComparableModel } from './comparable-model.js';

export interface ModelTimes {
  /** Creating the session, and the run that follows it; ms, one entry for each time that it was opened. */
  readonly open: readonly number[];
  readonly firstRun: readonly number[];
  /** Runs after that. */
  readonly run: readonly number[];
}

export interface TimingOptions {
  /** How often each model is opened anew. Default 5. */
  readonly opens?: number;
  /** Runs of each model, over all opens. Default 100. */
  readonly runs?: number;
  /** Threads inside an operator. Default 1. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, of: number) => void;
}

/** Runs that are not counted after the first one: caches fill, memory is planned. */
const WARM_UPS = 3;

/**
 * Models in turn: each open of one is followed by an open of the other, each run by a run of the other, so that whatever slows the machine
 * slows both.
 * @param feeds by model, in the same order
 * @throws RuntimeError where a model cannot be opened or run
 */
export async function timeModels(
  models: readonly ComparableModel[],
  feeds: readonly Feeds[],
  options: TimingOptions = {},
): Promise<ModelTimes[]> {
  const { opens = 5, runs = 100, threads = 1, signal, onProgress } = options;
  const times = models.map(() => ({ open: [] as number[], firstRun: [] as number[], run: [] as number[] }));
  for (let round = 0; round < opens; round += 1) {
    // Who goes first has the colder caches: in turn.
    const order = models.map((_, index) => (index + round) % models.length);
    const opened: { session: RuntimeSession; into: (typeof times)[number]; input: Feeds }[] = [];
    try {
      for (const index of order) {
        const model = models[index];
        const into = times[index];
        const input = feeds[index];
        if (model === undefined || into === undefined || input === undefined) continue;
        const during = signal === undefined ? {} : { signal };
        const session = await openSession(model.path, { settings: model.settings, threads, ...during });
        opened.push({ session, into, input });
        into.open.push(session.openMilliseconds);
        into.firstRun.push((await session.run(input)).milliseconds);
      }
      for (let run = -WARM_UPS; run < Math.ceil(runs / opens); run += 1) {
        for (const { session, into, input } of opened) {
          const { milliseconds } = await session.run(input);
          if (run >= 0) into.run.push(milliseconds);
        }
      }
    } finally {
      for (const { session } of opened) await session.close();
    }
    onProgress?.(round + 1, opens);
  }
  return times;
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly least: number;
  readonly greatest: number;
  readonly mean: number;
  readonly count: number;
}

/** By linear interpolation between the two nearest ranks. NaN without values. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => {
    const position = share * (sorted.length - 1);
    const below = sorted[Math.floor(position)] ?? Number.NaN;
    const above = sorted[Math.ceil(position)] ?? Number.NaN;
    return below + (above - below) * (position - Math.floor(position));
  };
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    least: at(0),
    greatest: at(1),
    mean: sum / sorted.length,
    count: sorted.length,
  };
}
