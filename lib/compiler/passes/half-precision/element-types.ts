/** Element types of all values, those in subgraphs included, as far as the file and the operators tell. */
import type { ElementType } from '../../ir/element-type.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { inferElementType } from '../inferred-type.js';

/** Sequences, optionals and the like are `opaque`; undefined is not known. */
export type KnownType = ElementType | 'opaque' | undefined;

export class ElementTypes {
  readonly #found = new Map<Value, ElementType>();

  constructor(graph: Graph) {
    this.#visit(graph);
  }

  of(value: Value): KnownType {
    if (value.type?.kind === 'opaque') return 'opaque';
    return inferElementType(value, (each) => each.elementType ?? this.#found.get(each));
  }

  #visit(graph: Graph): void {
    for (const node of graph.nodes) {
      for (const [, subgraph] of node.subgraphs()) this.#visit(subgraph);
      for (const [index, value] of node.outputs.entries()) {
        if (value === undefined || value.elementType !== undefined) continue;
        const result = controlFlowResult(node, index);
        const type = this.of(result ?? value);
        if (type !== undefined && type !== 'opaque') this.#found.set(value, type);
      }
    }
  }
}

/** The value inside a subgraph that becomes output `index` of an If, a Loop or a Scan. */
export function controlFlowResult(node: Node, index: number): Value | undefined {
  if (!node.is('If', 'Loop', 'Scan')) return undefined;
  for (const [, graph] of node.subgraphs()) {
    // The first output of a Loop's body is its condition.
    return graph.outputs[node.opType === 'Loop' ? index + 1 : index];
  }
  return undefined;
}
