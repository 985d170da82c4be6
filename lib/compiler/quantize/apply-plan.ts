/** Turns a plan into a model: the one way from a search, a lock or a command to quantized bytes. */
import type { QuantizationParameters } from '../../artifact/recipe.js';
import type { Model } from '../ir/model.js';
import { graphsOf, nodesOf } from '../ir/traversal.js';
import { validateStructure } from '../ir/validation.js';
import type { Value } from '../ir/value.js';
import { constantsToInitializers } from '../passes/constants-to-initializers.js';
import { convertOpset } from '../passes/convert-opset.js';
import { removeDeadNodes } from '../passes/remove-dead-nodes.js';
import { replaceWeights } from '../passes/replace-weights.js';
import { fillSlots } from './accuracy/weight-slots.js';
import { findNodes } from './node-key.js';
import type { AppliedPlan, QuantizationPlan, QuantizedWeight } from './plan.js';
import type { Assignment, SchemeContext, SchemeRewrite } from './scheme.js';
import { SCHEME_REWRITES } from './schemes/registry.js';

type Declined = AppliedPlan['declined'][number];

/** A node may be gone when it is declined; its name is not. */
type NamedAssignment = Assignment & { readonly output: string };

/**
 * Rewrites a normalized model in place. Names, order and types of its inputs and outputs stay. The same model and plan give the same
 * bytes on every machine: nothing here is computed by onnxruntime.
 * @returns nodes that stay in float32 against the plan, with the reason; recipes for nodes that the model lacks are among them
 * @throws ConfigurationError PLAN_WEIGHT if the plan replaces a weight that the model lacks, or by one of another type
 * @throws GraphError if the model is not valid
 */
export function applyPlan(model: Model, plan: QuantizationPlan): AppliedPlan {
  constantsToInitializers().run(model);
  const declined: Declined[] = [];
  const assignments = assign(model, plan, declined);
  fillSlots(model, plan.weights);
  replaceWeights(plan.weights).run(model);
  const context = contextOf(model, plan);
  const needed = new Map<string, number>();
  for (const rewrite of SCHEME_REWRITES) {
    const all = assignments.get(rewrite.scheme) ?? [];
    if (all.length === 0) continue;
    const reason = raiseOpset(model, rewrite);
    const standing = all.filter(({ node }) => node.graph !== undefined);
    for (const { node, output } of all) {
      if (node.graph === undefined)
        declined.push({ node: output, reason: `another opset writes ${node.opType} otherwise` });
    }
    if (reason !== undefined) declined.push(...standing.map(({ output }) => ({ node: output, reason })));
    else {
      declined.push(...rewrite.rewrite(standing, context));
      for (const [domain, version] of Object.entries(rewrite.opsets)) {
        needed.set(domain, Math.max(version, needed.get(domain) ?? 0));
      }
    }
  }
  importDomains(model, needed);
  removeDeadNodes().run(model);
  validateStructure(model);
  return { declined };
}

/** Nodes by scheme, in the plan's order; found by key before anything changes. */
function assign(model: Model, plan: QuantizationPlan, declined: Declined[]): Map<string, NamedAssignment[]> {
  const nodes = findNodes(
    model,
    plan.recipes.map(({ node }) => node),
  );
  const assignments = new Map<string, NamedAssignment[]>();
  const decline = (node: string, reason: string) => declined.push({ node, reason });
  const rewrites = new Map(SCHEME_REWRITES.map((rewrite) => [rewrite.scheme, rewrite]));
  for (const [index, { node: key, recipe }] of plan.recipes.entries()) {
    if (recipe.scheme === 'fp32') continue;
    const node = nodes[index];
    const rewrite = rewrites.get(recipe.scheme);
    if (node === undefined) decline(key.output, `the model has no ${key.opType} of this name with these weights`);
    else if (rewrite === undefined) decline(key.output, `this version has no scheme '${recipe.scheme}'`);
    else {
      const reason = rewrite.refusal(node, recipe);
      if (reason !== undefined) decline(key.output, reason);
      else append(assignments, recipe.scheme, { node, recipe, output: key.output });
    }
  }
  return assignments;
}

function append(assignments: Map<string, NamedAssignment[]>, scheme: string, assignment: NamedAssignment): void {
  const alike = assignments.get(scheme);
  if (alike === undefined) assignments.set(scheme, [assignment]);
  else alike.push(assignment);
}

/** Names that several values have (branches of an If may repeat them) are not known: the plan cannot mean one of them. */
function contextOf(model: Model, plan: QuantizationPlan): SchemeContext {
  const repeated = repeatedNames(model);
  const only = <Entry>(entries: ReadonlyMap<string, Entry>, name: string) =>
    repeated.has(name) ? undefined : entries.get(name);
  const activations = new Map<string, QuantizationParameters>(plan.activations.map((entry) => [entry.tensor, entry]));
  const weights: ReadonlyMap<string, QuantizedWeight> = plan.quantizedWeights;
  return {
    model,
    activation: (name) => only(activations, name),
    quantizedWeight: (name) => only(weights, name),
  };
}

function repeatedNames(model: Model): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  const add = (value: Value | undefined) => {
    if (value === undefined) return;
    if (seen.has(value.name)) repeated.add(value.name);
    seen.add(value.name);
  };
  for (const graph of graphsOf(model)) {
    for (const value of new Set([...graph.inputs, ...graph.initializers])) add(value);
    for (const node of graph.nodes) node.outputs.forEach(add);
  }
  return repeated;
}

/** Converts the standard operators where a scheme needs later ones. @returns why it could not */
function raiseOpset(model: Model, rewrite: SchemeRewrite): string | undefined {
  const target = rewrite.opsets[''];
  if (target === undefined || model.opset >= target) return undefined;
  const { modified, declined = [] } = convertOpset(target).run(model);
  if (modified) return undefined;
  return `${rewrite.scheme} needs opset ${target}, and the model cannot be converted: ${declined.join('; ')}`;
}

/** Only domains that nodes use: a model that imports others is refused by runtimes that lack them. */
function importDomains(model: Model, needed: ReadonlyMap<string, number>): void {
  const used = new Set<string>();
  for (const node of nodesOf(model)) used.add(node.domain);
  for (const [domain, version] of [...needed].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (domain === '' || !used.has(domain)) continue;
    model.opsetImports.set(domain, Math.max(version, model.opsetImports.get(domain) ?? 0));
  }
}
