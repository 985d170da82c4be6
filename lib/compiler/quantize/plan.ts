/** What is to be done with a normalized graph: all that `applyPlan` needs, and all that a lock remembers of a search. */
import type { NodeRecipe, QuantizationParameters } from '../../artifact/recipe.js';
import type { Tensor } from '../ir/tensor.js';

/** A weight whose integers were chosen by data (rounding by reconstruction), not by rounding to the nearest. */
export interface QuantizedWeight {
  /** Same dims as the float32 weight it stands for; one element a byte, also for 4 bits. */
  readonly integers: Tensor;
  readonly parameters: QuantizationParameters;
}

export interface QuantizationPlan {
  /** Nodes that are not listed stay in float32. */
  readonly recipes: readonly NodeRecipe[];
  /** Of the values that enter and leave nodes of `int8-static`. */
  readonly activations: readonly QuantizationParameters[];
  /** float32 initializers changed by data (bias correction, equalization, pruning), by name; they replace the graph's before anything else. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** By the initializer's name. */
  readonly quantizedWeights: ReadonlyMap<string, QuantizedWeight>;
}

export const EMPTY_PLAN: QuantizationPlan = {
  recipes: [],
  activations: [],
  weights: new Map(),
  quantizedWeights: new Map(),
};

/** What became of a plan. */
export interface AppliedPlan {
  /** Nodes whose recipe could not be followed, and why; they stay in float32. */
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}
