/** What a unit takes of the file with a recipe: rewritten in a small model of its own. */
import type { QuantizationParameters, Recipe } from '../../../artifact/recipe.js';
import { cloneNodes } from '../../ir/clone.js';
import { Graph } from '../../ir/graph.js';
import { Model } from '../../ir/model.js';
import { weightsOf as tensorsOf } from '../../ir/summary.js';
import type { Value } from '../../ir/value.js';
import { applyPlan } from '../apply-plan.js';
import { nodeKeyOf } from '../node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../plan.js';
import { standInOf } from '../schemes/static-qdq/stand-ins.js';
import { nodesWithClamps, type Unit } from './units.js';

/** Names, which a stripped model does not have, and what else a node takes of a file. */
const BYTES_PER_NODE = 60;

/**
 * Bytes with the recipe: of all constants, and something for every node. Ranges of activations are taken from `plan`.
 * @returns undefined where the recipe is declined
 */
export function bytesWith(model: Model, unit: Unit, recipe: Recipe, plan: QuantizationPlan): number | undefined {
  const small = smallModel(model, unit);
  const recipes = small.graph.nodes
    .filter((_, index) => recipe.scheme === 'int8-static' || !isClamp(unit, index))
    .map((node) => ({ node: nodeKeyOf(node), recipe }));
  const activations = [...plan.activations, ...inheritedRanges(unit, plan)];
  const { declined } = applyPlan(small, { ...EMPTY_PLAN, activations, recipes });
  return declined.length > 0 ? undefined : sizeOf(small);
}

/** Ranges of what the unit reads that lie within another value's: the small model does not hold what computes them. */
function inheritedRanges(unit: Unit, { activations }: QuantizationPlan): QuantizationParameters[] {
  const known = new Map(activations.map((range) => [range.tensor, range]));
  return unit.nodes.flatMap(({ inputs }) =>
    inputs.flatMap((value) => {
      if (value === undefined || known.has(value.name)) return [];
      for (let other = standInOf(value); other !== undefined; other = standInOf(other)) {
        const range = known.get(other.name);
        if (range !== undefined) return [{ ...range, tensor: value.name }];
      }
      return [];
    }),
  );
}

function isClamp(unit: Unit, index: number): boolean {
  const node = nodesWithClamps(unit)[index];
  return node !== undefined && unit.clamps.includes(node);
}

function isReadByClamp(value: Value, unit: Unit): boolean {
  return unit.clamps.some((clamp) => clamp?.input(0)?.name === value.name);
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
  const nodes = nodesWithClamps(unit);
  for (const value of new Set(nodes.flatMap((node) => node.inputs))) {
    if (value === undefined || nodes.some((node) => node.outputs.includes(value))) continue;
    if (value.initializer !== undefined) values.set(value, graph.addInitializer(value.name, value.initializer));
    else values.set(value, graph.addInput(value.name, value.type));
  }
  graph.append(...cloneNodes(nodes, { values, rename: (name) => name }));
  const outputs = graph.nodes.flatMap((node) => node.outputs.filter((value): value is Value => value !== undefined));
  // What only a clamp reads is no output: it has no range of its own.
  graph.setOutputs(outputs.filter((value) => value.consumers.length === 0 || !isReadByClamp(value, unit)));
  return new Model(graph, model.opsetImports, { irVersion: model.irVersion });
}
