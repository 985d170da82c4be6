/** What a unit takes of the file with a recipe: rewritten in a small model of its own. */
import type { Recipe } from '../../../artifact/recipe.js';
import { cloneNodes } from '../../ir/clone.js';
import { Graph } from '../../ir/graph.js';
import { Model } from '../../ir/model.js';
import { weightsOf as tensorsOf } from '../../ir/summary.js';
import type { Value } from '../../ir/value.js';
import { applyPlan } from '../apply-plan.js';
import { nodeKeyOf } from '../node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../plan.js';
import type { Unit } from './units.js';

/** Names, which a stripped model does not have, and what else a node takes of a file. */
const BYTES_PER_NODE = 60;

/**
 * Bytes with the recipe: of all constants, and something for every node. Ranges of activations are taken from `plan`.
 * @returns undefined where the recipe is declined
 */
export function bytesWith(model: Model, unit: Unit, recipe: Recipe, plan: QuantizationPlan): number | undefined {
  const small = smallModel(model, unit);
  const recipes = small.graph.nodes.map((node) => ({ node: nodeKeyOf(node), recipe }));
  const { declined } = applyPlan(small, { ...EMPTY_PLAN, activations: plan.activations, recipes });
  return declined.length > 0 ? undefined : sizeOf(small);
}

export function bytesWithout(model: Model, unit: Unit): number {
  return sizeOf(smallModel(model, unit));
}

function sizeOf(model: Model): number {
  const weights = tensorsOf(model).reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
  return weights + model.graph.nodes.length * BYTES_PER_NODE;
}

/** The unit's nodes alone: what they read is constant or an input, what they compute an output. */
function smallModel(model: Model, unit: Unit): Model {
  const graph = new Graph('unit');
  const values = new Map<Value, Value | undefined>();
  for (const value of new Set(unit.nodes.flatMap((node) => node.inputs))) {
    if (value === undefined || unit.nodes.some((node) => node.outputs.includes(value))) continue;
    if (value.initializer !== undefined) values.set(value, graph.addInitializer(value.name, value.initializer));
    else values.set(value, graph.addInput(value.name, value.type));
  }
  graph.append(...cloneNodes(unit.nodes, { values, rename: (name) => name }));
  graph.setOutputs(
    graph.nodes.flatMap(({ outputs }) => outputs.filter((value): value is Value => value !== undefined)),
  );
  return new Model(graph, model.opsetImports, { irVersion: model.irVersion });
}
