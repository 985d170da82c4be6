/** Pruning as the search of recipes takes it: weights for a plan, in place of those of the whole model. */
import type { DataSet } from '../data/data-set.js';
import type { Model } from '../ir/model.js';
import type { QuantizationPlan } from '../quantize/plan.js';
import type { Objective } from './cost.js';
import { pruneModel } from './prune-model.js';

export interface PruningContext {
  readonly model: Model;
  readonly plan: QuantizationPlan;
  readonly calibration: DataSet;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** What the search calls a preparation. */
export interface PruningPreparation {
  readonly name: string;
  readonly stage: 'before';
  /** Undefined where nothing can go. The plan must have no weights, recipes or integers of its own yet: they would not fit. */
  apply(context: PruningContext): Promise<QuantizationPlan | undefined>;
}

/** Channels that say nothing: never worse, often nothing to do. */
export function losslessPruning(): PruningPreparation {
  return {
    name: 'lossless-pruning',
    stage: 'before',
    async apply({ model, plan, signal }) {
      const { weights } = await pruneModel(model, { method: 'lossless', signal });
      return withWeights(plan, weights);
    },
  };
}

export interface StructuredPruningOptions {
  /** Part of the cost to save, 0 to 1. */
  readonly ratio: number;
  /** Default `latency`. */
  readonly objective?: Objective;
}

/**
 * Channels, heads and widths, with what stays fitted to the original. It makes outputs noisier, not cleaner: judge it by the size and the
 * latency of what comes of it, under the budget.
 */
export function structuredPruning({ ratio, objective = 'latency' }: StructuredPruningOptions): PruningPreparation {
  return {
    name: `structured-pruning-${Math.round(ratio * 100)}`,
    stage: 'before',
    async apply({ model, plan, calibration, seed, signal }) {
      const data = calibration;
      const { weights } = await pruneModel(model, { method: 'structured', ratio, objective, data, seed, signal });
      return withWeights(plan, weights);
    },
  };
}

function withWeights(plan: QuantizationPlan, weights: QuantizationPlan['weights']): QuantizationPlan | undefined {
  const isFresh = plan.weights.size === 0 && plan.quantizedWeights.size === 0;
  return weights.size === 0 || !isFresh ? undefined : { ...plan, weights };
}
