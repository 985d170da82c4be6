/** Whether a pruned model keeps the budget of model.json, on the evaluation data: what `prune` asks of every ratio it tries. */
import type { PreparedModel } from '../build/prepare.js';
import type { Model } from '../ir/model.js';
import { certify } from '../metrics/certify.js';
import { evaluate, evaluateOriginal } from '../metrics/evaluate.js';
import { metricFor } from '../metrics/metric-for.js';
import { RecordedSet } from '../metrics/recorded-set.js';
import { openModelData, preparedSignature } from './model-data.js';

export interface BudgetJudge extends AsyncDisposable {
  readonly calibration: Awaited<ReturnType<typeof openModelData>>['calibration'];
  /** Runs the model over the evaluation data. */
  accepts(model: Model): Promise<boolean>;
}

/** @throws ConfigurationError OPTIMIZE_SECTION_MISSING, DATA_…, METRIC_… */
export async function budgetJudge(prepared: PreparedModel, signal: AbortSignal): Promise<BudgetJudge> {
  const { configuration, model: original } = prepared;
  const signature = await preparedSignature(prepared, signal);
  const { calibration, evaluation } = await openModelData(prepared, signature, signal);
  const { optimize, task } = configuration;
  if (optimize === undefined) throw new TypeError('refused when the data was opened');
  const metric = metricFor(optimize.budget.metric, task, signature);
  const recorded = await RecordedSet.record(original, evaluation, { signal });
  const before = (await evaluateOriginal(recorded, [metric])).observations.get(metric.name) ?? [];
  return {
    calibration,
    async accepts(model) {
      const { observations } = await evaluate(model, recorded, { metrics: [metric], sessions: 2, signal });
      const { status } = certify(metric, optimize.budget, before, observations.get(metric.name) ?? [], {
        seed: optimize.seed,
        isSynthetic: evaluation.isSynthetic,
      });
      return status !== 'broken';
    },
    [Symbol.asyncDispose]: () => recorded[Symbol.asyncDispose](),
  };
}
