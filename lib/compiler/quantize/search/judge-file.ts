/** A model file against the original on data that it was not chosen by, as a whole and by source. */
import type { SessionSettings } from '../../../artifact/manifest.js';
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { Budget } from '../../metrics/budget.js';
import { certify } from '../../metrics/certify.js';
import { type Evaluation, evaluate, evaluateOriginal } from '../../metrics/evaluate.js';
import type { Metric } from '../../metrics/metric.js';
import { RecordedSet } from '../../metrics/recorded-set.js';
import type { SearchResult } from './search-result.js';

export interface JudgeOptions {
  /** Prepared, in float32: what the answers are compared with. */
  readonly original: Model;
  readonly data: DataSet;
  readonly metric: Metric;
  readonly budget: Budget;
  /** Those that it will be opened with. */
  readonly settings: SessionSettings;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** @param path of the ONNX file that is judged */
export async function judgeFile(
  path: string,
  { original, data, metric, budget, settings, seed, signal, onProgress }: JudgeOptions,
): Promise<Pick<SearchResult, 'certificate' | 'groups'>> {
  await using recorded = await RecordedSet.record(original, data, { signal });
  const before = await evaluateOriginal(recorded, [metric]);
  const after = await evaluate(path, recorded, { metrics: [metric], sessions: 2, settings, signal, onProgress });
  const of = (evaluation: Evaluation) => evaluation.observations.get(metric.name) ?? [];
  const certificate = certify(metric, budget, of(before), of(after), { seed, isSynthetic: data.isSynthetic });
  const names = [...new Set(after.groups.map((group) => group ?? ''))].sort();
  const groups = names.map((group) => {
    const part = (list: readonly Float64Array[]) => list.filter((_, index) => (after.groups[index] ?? '') === group);
    const mine = part(of(after));
    return {
      group,
      samples: mine.length,
      value: metric.aggregate(mine),
      original: metric.aggregate(part(of(before))),
    };
  });
  return { certificate, groups: names.length > 1 ? groups : [] };
}
