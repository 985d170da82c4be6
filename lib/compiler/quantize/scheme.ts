/** What every scheme offers, so that plans, searches and commands treat them alike. One file a scheme, in schemes/. */
import type { QuantizationParameters, Recipe } from '../../artifact/recipe.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { QuantizedWeight } from './plan.js';

/** What a scheme may look up while it rewrites. */
export interface SchemeContext {
  readonly model: Model;
  /** Of activations, by the value's name. */
  activation(name: string): QuantizationParameters | undefined;
  /** Of weights rounded by data, by the initializer's name. */
  quantizedWeight(name: string): QuantizedWeight | undefined;
}

/** One node with its recipe of this scheme. */
export interface Assignment<R extends Recipe = Recipe> {
  readonly node: Node;
  readonly recipe: R;
}

export interface SchemeRewrite<R extends Recipe = Recipe> {
  readonly scheme: R['scheme'];
  /** Lowest versions of operator sets that the result needs, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Why a node cannot have the recipe; undefined where it can. Looks, changes nothing. */
  refusal(node: Node, recipe: R): string | undefined;
  /**
   * Whether a node that can have the recipe is left alone unless its neighbours have it too, and whether it adds noise of its own then.
   * Default: it needs nobody.
   */
  company?(node: Node, recipe: R): 'not-needed' | 'exact' | 'noisy';
  /** Names of the values whose ranges must be known. Only `int8-static` needs any. */
  activations(assignments: readonly Assignment<R>[]): readonly string[];
  /**
   * Rewrites all nodes of this scheme at once, so that what they share is written once.
   * @returns what it had to leave alone, with the reason
   */
  rewrite(assignments: readonly Assignment<R>[], context: SchemeContext): readonly { node: string; reason: string }[];
}
