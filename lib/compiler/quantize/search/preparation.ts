/**
 * What makes a plan more accurate, or a model smaller, before or after recipes are chosen: equalization, smoothing, bias correction,
 * rounding by reconstruction, pruning. The search tries each, and keeps what helps under the budget.
 */
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { QuantizationPlan } from '../plan.js';

export interface PreparationContext {
  /** The normalized model. The same for all: not to be changed, and to be copied with `copyModel` where a changed one is needed. */
  readonly model: Model;
  /** What is to be improved. `before`: the weights so far, without recipes. */
  readonly plan: QuantizationPlan;
  /** Never the data that recipes are chosen or judged by. */
  readonly calibration: DataSet;
  readonly seed: number;
  readonly signal: AbortSignal;
}

export interface Preparation {
  /** Unique, for progress and reports: `bias-correction`. */
  readonly name: string;
  /**
   * `before`: changes weights of the float32 model, and recipes are chosen for what comes of it. `after`: changes a plan that has recipes.
   * `always` (the saturation guard, for example): as `after`, and not for the search to leave out.
   */
  readonly stage: 'before' | 'after' | 'always';
  /**
   * The plan with weights, quantized weights or activations changed, and other recipes only where those cannot stay; undefined where
   * there is nothing to do. Deterministic for a seed.
   */
  apply(context: PreparationContext): Promise<QuantizationPlan | undefined>;
}
