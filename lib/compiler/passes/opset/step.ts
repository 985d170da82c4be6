/** What one step of an opset conversion, from a version to the next, does to the operators that changed. */
import type { Attribute } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import { Value } from '../../ir/value.js';

/**
 * Rewrites one node of the step's old version into the new one, in place. A string says why that cannot be done without
 * changing what the node computes, and declines the whole conversion.
 */
export type NodeConverter = (node: Node, context: ConversionContext) => string | undefined;

export interface OpsetStep {
  /** The version that the step leads to. */
  readonly version: number;
  /** Operators with a new definition under which an old node means the same: wider types, or a new attribute whose default is the old meaning. */
  readonly unchanged: readonly string[];
  readonly converters: Readonly<Record<string, NodeConverter>>;
}

/** What converters may do to the model around a node. */
export class ConversionContext {
  readonly #model: Model;
  /** Resize nodes that were Upsample, whose scales are never below 1. */
  readonly enlarging = new WeakSet<Node>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** A constant in the graph of `node`, named after the node's first output. */
  constant(node: Node, suffix: string, tensor: Tensor): Value {
    return graphOf(node).addInitializer(this.#name(node, suffix), tensor);
  }

  /** Puts an operation between input `index` of `node` and whatever feeds it. */
  wrapInput(
    node: Node,
    index: number,
    opType: string,
    attributes: Record<string, Attribute>,
    more: readonly Value[] = [],
  ): Value {
    const output = this.insert(node, opType, [node.input(index), ...more], attributes);
    node.setInput(index, output);
    return output;
  }

  /** Puts an operation between output `index` of `node` and its readers; the value that they read keeps its name. */
  wrapOutput(
    node: Node,
    index: number,
    opType: string,
    attributes: Record<string, Attribute>,
    more: readonly Value[] = [],
  ): void {
    const output = node.output(index);
    const inner = new Value(this.#name(node, `before_${opType.toLowerCase()}`));
    node.setOutputs(node.outputs.map((value, position) => (position === index ? inner : value)));
    const graph = graphOf(node);
    const wrapper = new Node(opType, [inner, ...more], [output], { attributes });
    const next = graph.nodes[graph.nodes.indexOf(node) + 1];
    if (next === undefined) graph.append(wrapper);
    else graph.insertBefore(next, wrapper);
  }

  /** Inserts `opType` in front of `node` and returns its output. */
  insert(
    node: Node,
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute> = {},
  ): Value {
    const output = new Value(this.#name(node, opType.toLowerCase()));
    graphOf(node).insertBefore(node, new Node(opType, inputs, [output], { attributes }));
    return output;
  }

  #name(node: Node, suffix: string): string {
    const first = node.outputs.find((value) => value !== undefined)?.name ?? node.opType;
    return this.#model.freshName(`${first}_${suffix}`);
  }
}

function graphOf(node: Node): Graph {
  if (node.graph === undefined) throw new TypeError(`${node.describe()} stands in no graph`);
  return node.graph;
}
