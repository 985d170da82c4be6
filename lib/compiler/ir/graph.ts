/** A graph: inputs, initializers, nodes in topological order, outputs. Subgraphs may use values of the graphs around them. */
import type { GraphProto, SparseTensorProto } from 'onnx-buf';
import { GraphError } from '../../errors.js';
import type { Node } from './node.js';
import type { Tensor } from './tensor.js';
import { type Use, Value, type ValueType } from './value.js';

export class Graph {
  name: string;
  /** In topological order between rewrites; `sortTopologically` restores it. */
  nodes: Node[] = [];
  /** The node whose attribute this graph is; undefined for a model's main graph and a function's body. */
  parent: Node | undefined;
  /** The message it was read from. */
  origin: GraphProto | undefined;
  /** Values that stand for initializers, in the file's order. */
  readonly initializers = new Set<Value>();
  /** Values that stand for sparse constants, which are carried along untouched. */
  readonly sparseInitializers = new Map<Value, SparseTensorProto>();
  readonly #inputs = new Set<Value>();
  readonly #outputs: Value[] = [];
  readonly #outputUses: Use[] = [];

  constructor(name: string, origin?: GraphProto) {
    this.name = name;
    this.origin = origin;
  }

  get outputs(): readonly Value[] {
    return this.#outputs;
  }

  setOutputs(values: readonly Value[]): void {
    for (const [index, use] of this.#outputUses.entries()) this.#outputs[index]?.uses.delete(use);
    this.#outputs.length = 0;
    this.#outputUses.length = 0;
    for (const [index, value] of values.entries()) {
      const use: Use = { kind: 'output', graph: this, index };
      this.#outputs.push(value);
      this.#outputUses.push(use);
      value.uses.add(use);
    }
  }

  /** In the order of the signature. */
  get inputs(): readonly Value[] {
    return [...this.#inputs];
  }

  setInputs(values: readonly Value[]): void {
    this.#inputs.clear();
    for (const value of values) this.#inputs.add(value);
  }

  hasInput(value: Value): boolean {
    return this.#inputs.has(value);
  }

  addInput(name: string, type: ValueType | undefined): Value {
    const value = new Value(name, type);
    this.#inputs.add(value);
    return value;
  }

  /** Adds a constant. `name` must be unused in the whole model: take it from `Model.freshName`. */
  addInitializer(name: string, tensor: Tensor): Value {
    const value = new Value(name, { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims });
    value.initializer = tensor;
    this.initializers.add(value);
    return value;
  }

  append(...nodes: readonly Node[]): void {
    for (const node of nodes) this.#adopt(node);
    this.nodes.push(...nodes);
  }

  /** Inserts nodes in front of `reference`. */
  insertBefore(reference: Node, ...nodes: readonly Node[]): void {
    const index = this.nodes.indexOf(reference);
    if (index < 0) throw new RangeError(`${reference.describe()} does not stand in graph '${this.name}'`);
    for (const node of nodes) this.#adopt(node);
    this.nodes.splice(index, 0, ...nodes);
  }

  /**
   * Takes nodes out and releases what they, and the graphs inside them, use.
   * @throws GraphError NODE_IN_USE if somebody still reads one of their outputs.
   */
  remove(...nodes: readonly Node[]): void {
    const leaving = new Set(nodes);
    for (const node of leaving) release(node);
    for (const node of leaving) {
      for (const value of node.outputs) {
        if (value !== undefined && value.producer === node && value.uses.size > 0) {
          throw new GraphError({
            code: 'NODE_IN_USE',
            message: `${node.describe()} cannot be removed: '${value.name}' is still used.`,
            advice: 'This is a fault of cdk-onnx: please report it with the model.',
          });
        }
      }
      node.graph = undefined;
    }
    this.nodes = this.nodes.filter((node) => !leaving.has(node));
  }

  #adopt(node: Node): void {
    node.graph = this;
    for (const [, subgraph] of node.subgraphs()) subgraph.parent = node;
  }
}

/** Drops a node's inputs, and those of every node in the graphs inside it, so that no use outlives it. */
function release(node: Node): void {
  node.setInputs([]);
  for (const [, subgraph] of node.subgraphs()) {
    for (const inner of subgraph.nodes) release(inner);
    subgraph.setOutputs([]);
  }
}
