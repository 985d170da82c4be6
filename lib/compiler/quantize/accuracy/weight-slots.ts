/**
 * Names for constants of single nodes, so that a plan can change one that other nodes read too, or a bias that is not there yet. A plan's
 * weights are named by their initializers; where that does not do, by the node's first output and the input: `conv1#2`.
 */
import { copyModel } from '../../ir/copy.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';

const SEPARATOR = '#';

/** What a plan calls input `index` of a node of the main graph. */
export function slotOf(node: Node, index: number): string {
  const value = node.input(index);
  if (value?.initializer !== undefined && value.uses.size === 1) return value.name;
  return `${node.output().name}${SEPARATOR}${index}`;
}

/**
 * Gives nodes of the main graph initializers of their own for the names that `slotOf` made up; other names are left to the caller.
 * @returns the names that were found
 */
export function fillSlots(model: Model, weights: ReadonlyMap<string, Tensor>): ReadonlySet<string> {
  const filled = new Set<string>();
  const initializers = new Set([...model.graph.initializers].map(({ name }) => name));
  const unknown = [...weights].filter(([name]) => !initializers.has(name) && name.includes(SEPARATOR));
  if (unknown.length === 0) return filled;
  const nodes = new Map(model.graph.nodes.map((node) => [node.outputs[0]?.name ?? '', node]));
  for (const [name, tensor] of unknown) {
    const at = name.lastIndexOf(SEPARATOR);
    const node = nodes.get(name.slice(0, at));
    const index = Number(name.slice(at + 1));
    if (node === undefined || !Number.isInteger(index) || index < 0 || index > node.inputs.length) continue;
    if (model.freshName(name) !== name) continue;
    node.setInput(index, model.graph.addInitializer(name, tensor));
    filled.add(name);
  }
  return filled;
}

/** The tensor of a slot: what a plan puts there, else what the node has. */
export function tensorOf(node: Node, index: number, weights: ReadonlyMap<string, Tensor>): Tensor | undefined {
  return weights.get(slotOf(node, index)) ?? node.constantInput(index);
}

/** A copy of a model with a plan's float32 weights in place of its own. */
export function withWeights(original: Model, weights: ReadonlyMap<string, Tensor>): Model {
  const model = copyModel(original);
  const filled = fillSlots(model, weights);
  for (const value of model.graph.initializers) {
    const tensor = filled.has(value.name) ? undefined : weights.get(value.name);
    if (tensor !== undefined) value.initializer = tensor;
  }
  return model;
}
