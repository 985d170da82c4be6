/** Every model of a case on the same holdout samples: the task metric, and how far it is from the original. */
import type { SessionSettings } from '../../lib/artifact/manifest.js';
import { type Evaluation, evaluate, evaluateOriginal } from '../../lib/compiler/metrics/evaluate.js';
import { metricFor } from '../../lib/compiler/metrics/metric-for.js';
import { RecordedSet } from '../../lib/compiler/metrics/recorded-set.js';
import type { PreparedBenchModel } from './prepared-model.js';

export interface Verdict {
  /** Of the task metric. */
  readonly value: number;
  /** Signal to noise of the worst output against the original's, dB. */
  readonly snr: number;
  /** The task metric by where the samples come from. */
  readonly groups: ReadonlyMap<string, number>;
}

export interface Judge extends AsyncDisposable {
  readonly samples: number;
  readonly original: Verdict;
  judge(path: string, settings?: SessionSettings): Promise<Verdict>;
}

/** Both cores: nothing is timed meanwhile. */
const SESSIONS = 2;

export async function openJudge(model: PreparedBenchModel): Promise<Judge> {
  const { taskMetric } = model;
  const distance = metricFor('snr', model.task, model.signature);
  const metrics = [taskMetric, distance];
  const set = await RecordedSet.record(model.plain, await model.openData('holdout'));
  const verdictOf = ({ observations, groups }: Evaluation): Verdict => {
    const own = observations.get(taskMetric.name) ?? [];
    const names = new Set(groups.filter((group) => group !== undefined));
    const ofGroup = (name: string) => taskMetric.aggregate(own.filter((_, index) => groups[index] === name));
    return {
      value: taskMetric.aggregate(own),
      snr: distance.aggregate(observations.get(distance.name) ?? []),
      groups: new Map([...names].map((name) => [name, ofGroup(name)])),
    };
  };
  try {
    return {
      samples: set.ids.length,
      original: verdictOf(await evaluateOriginal(set, metrics)),
      judge: async (path, settings) =>
        verdictOf(
          await evaluate(path, set, { metrics, sessions: SESSIONS, ...(settings === undefined ? {} : { settings }) }),
        ),
      [Symbol.asyncDispose]: () => set[Symbol.asyncDispose](),
    };
  } catch (error) {
    await set[Symbol.asyncDispose]();
    throw error;
  }
}
