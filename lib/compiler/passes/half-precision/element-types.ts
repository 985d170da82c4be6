/** Element types of all values, those in subgraphs included, as far as the file and the operators tell. */
import { type ElementType, elementTypeOf } from '../../ir/element-type.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { inferElementType } from '../inferred-type.js';
import { TYPE_ATTRIBUTES } from './operators.js';

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
        const type = generatedType(node) ?? this.of(controlFlowResult(node, index) ?? value);
        if (type !== undefined && type !== 'opaque') this.#found.set(value, type);
      }
    }
  }
}

/** What an operator without inputs of floating point says of its output. */
function generatedType(node: Node): ElementType | undefined {
  const told = node.domain === '' ? TYPE_ATTRIBUTES[node.opType] : undefined;
  if (told === undefined) return undefined;
  return node.attributes.has(told.name) ? elementTypeOf(node.int(told.name, 0)) : told.byDefault;
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
