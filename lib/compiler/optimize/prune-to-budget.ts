/** Whether a pruned model keeps the budget of model.json, on the evaluation data: what `prune` and `optimize` ask of every ratio they try. */
import type { PreparedModel } from '../build/prepare.js';
import type { DataSet } from '../data/data-set.js';
import type { Model } from '../ir/model.js';
import { certify, keepsWithin } from '../metrics/certify.js';
import { evaluate, evaluateOriginal } from '../metrics/evaluate.js';
import { metricFor } from '../metrics/metric-for.js';
import { RecordedSet } from '../metrics/recorded-set.js';
import { preparedSignature } from './model-data.js';

export interface BudgetJudge extends AsyncDisposable {
  /** Runs the model over the evaluation data. */
  accepts(model: Model): Promise<boolean>;
}

export interface BudgetJudgeOptions {
  /** How much of the allowed loss may be used up. Default 1. */
  readonly share?: number;
  readonly signal: AbortSignal;
}

/** @throws ConfigurationError METRIC_…, DATA_… */
export async function budgetJudge(
  prepared: PreparedModel,
  evaluation: DataSet,
  { share = 1, signal }: BudgetJudgeOptions,
): Promise<BudgetJudge> {
  const { configuration, model: original } = prepared;
  const { optimize, task } = configuration;
  if (optimize === undefined) throw new TypeError('there is no budget without an optimize section');
  const metric = metricFor(optimize.budget.metric, task, await preparedSignature(prepared, signal));
  const recorded = await RecordedSet.record(original, evaluation, { signal });
  const before = (await evaluateOriginal(recorded, [metric])).observations.get(metric.name) ?? [];
  return {
    async accepts(model) {
      const { observations } = await evaluate(model, recorded, { metrics: [metric], sessions: 2, signal });
      const { loss, allowedLoss } = certify(metric, optimize.budget, before, observations.get(metric.name) ?? [], {
        seed: optimize.seed,
      });
      return keepsWithin(loss, allowedLoss * share);
    },
    [Symbol.asyncDispose]: () => recorded[Symbol.asyncDispose](),
  };
}
