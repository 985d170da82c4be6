/** What a model is made of, in numbers: operators, weights, signature. */
import type { Graph } from './graph.js';
import type { Model } from './model.js';
import type { Tensor } from './tensor.js';
import { graphsOf, nodesOf } from './traversal.js';

export interface Weight {
  /** The initializer's name, or the first output of the node that holds it. */
  readonly name: string;
  readonly tensor: Tensor;
}

/** How often each operator occurs, subgraphs and functions included: most frequent first, then by name. */
export function countOperators(model: Model): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of nodesOf(model)) {
    const operator = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
    counts.set(operator, (counts.get(operator) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

/** Every constant: initializers and the tensors in attributes. A tensor that is shared comes once. */
export function weightsOf(model: Model): Weight[] {
  const weights = new Map<Tensor, string>();
  const add = (tensor: Tensor, name: string) => {
    if (!weights.has(tensor)) weights.set(tensor, name);
  };
  for (const graph of graphsOf(model)) addWeightsOf(graph, add);
  return [...weights].map(([tensor, name]) => ({ name, tensor }));
}

function addWeightsOf(graph: Graph, add: (tensor: Tensor, name: string) => void): void {
  for (const { name, initializer } of graph.initializers) if (initializer !== undefined) add(initializer, name);
  for (const node of graph.nodes) {
    const name = node.outputs.find((value) => value !== undefined)?.name ?? node.name;
    for (const attribute of node.attributes.values()) {
      if (attribute.kind === 'tensor') add(attribute.value, name);
      else if (attribute.kind === 'tensors') for (const tensor of attribute.value) add(tensor, name);
    }
  }
}
