/** Gives every node that a scheme takes its recipe, as a plan would. */
import type { Recipe } from '../../lib/artifact/recipe.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import type { Node } from '../../lib/compiler/ir/node.js';
import { nodesOf } from '../../lib/compiler/ir/traversal.js';
import { validate } from '../../lib/compiler/ir/validation.js';
import type { QuantizedWeight } from '../../lib/compiler/quantize/plan.js';
import type { SchemeRewrite } from '../../lib/compiler/quantize/scheme.js';

export interface ApplySchemeOptions {
  /** Which of the nodes that the scheme takes. Default all. */
  readonly nodes?: (node: Node) => boolean;
  /** Integers chosen by data, by the initializer's name. */
  readonly quantizedWeights?: Readonly<Record<string, QuantizedWeight>>;
}

export interface AppliedScheme {
  /** First outputs of the nodes that it rewrote. */
  readonly rewritten: readonly string[];
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

/** Mutates the model, whose opset must be what the scheme needs, and expects it to be valid afterwards. */
export function applyScheme<R extends Recipe>(
  model: Model,
  scheme: SchemeRewrite<R>,
  recipe: R,
  options: ApplySchemeOptions = {},
): AppliedScheme {
  const { nodes = () => true, quantizedWeights = {} } = options;
  const assignments = [...nodesOf(model)]
    .filter((node) => nodes(node) && scheme.refusal(node, recipe) === undefined)
    .map((node) => ({ node, recipe }));
  const names = assignments.map(({ node }) => node.output().name);
  const declined = scheme.rewrite(assignments, {
    model,
    activation: () => undefined,
    quantizedWeight: (name) => quantizedWeights[name],
  });
  if (scheme.opsets['com.microsoft'] !== undefined) model.opsetImports.set('com.microsoft', 1);
  validate(model);
  const left = new Set(declined.map(({ node }) => node));
  return { rewritten: names.filter((name) => !left.has(name)), declined };
}
