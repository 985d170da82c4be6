/** What rules need to change a node and to put others beside it. */
import { type Attribute, attribute } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { Value, type ValueType } from '../../ir/value.js';
import type { Order } from './order.js';

/** Nodes are appended: whoever uses it sorts the graph at the end. */
export class Rewriter {
  readonly model: Model;
  readonly graph: Graph;

  constructor(model: Model, graph: Graph) {
    this.model = model;
    this.graph = graph;
  }

  constant(tensor: Tensor, name: string): Value {
    return this.graph.addInitializer(this.model.freshName(name), tensor);
  }

  int64(numbers: readonly number[], name: string): Value {
    return this.constant(Tensor.int64(numbers), name);
  }

  /** Gives a node another constant in the place of one, which goes if nobody else reads it. */
  replaceConstant(node: Node, index: number, tensor: Tensor): void {
    const before = node.input(index);
    const isLast = before?.uses.size === 1 && this.graph.initializers.has(before) && !this.graph.hasInput(before);
    node.setInput(index, undefined);
    if (before !== undefined && isLast) this.graph.initializers.delete(before);
    const name = before === undefined || !isLast ? this.model.freshName(before?.name ?? 'constant') : before.name;
    node.setInput(index, this.graph.addInitializer(name, tensor));
  }

  /** A new node with one output, named after `name`. */
  add(
    opType: string,
    inputs: readonly (Value | undefined)[],
    type: ValueType | undefined,
    name: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    const output = new Value(this.model.freshName(name), type);
    this.graph.append(new Node(opType, inputs, [output], { name: output.name, attributes }));
    return output;
  }

  /** A vector of one number per axis, in another order: a constant again if it is one. */
  reorderVector(node: Node, index: number, order: Order): void {
    const value = node.input(index);
    const constant = node.constantInput(index);
    if (value === undefined) return;
    if (constant !== undefined) {
      const numbers = constant.typed();
      const reordered = numbers.slice(0, order.length);
      for (const [position, axis] of order.entries()) (reordered as Float32Array)[position] = numbers[axis] as number;
      this.replaceConstant(node, index, Tensor.fromTyped(constant.elementType, [order.length], reordered));
      return;
    }
    const indices = this.int64(order, `${value.name}/order`);
    const axis = { axis: attribute.int(0) };
    const type: ValueType | undefined =
      value.elementType === undefined
        ? undefined
        : { kind: 'tensor', elementType: value.elementType, shape: [order.length] };
    node.setInput(index, this.add('Gather', [value, indices], type, `${value.name}/reordered`, axis));
  }
}

/** The type of a value whose axes are in another order. */
export function reorderedType(type: ValueType | undefined, order: Order): ValueType | undefined {
  if (type?.kind !== 'tensor' || type.shape?.length !== order.length) return type;
  const { shape } = type;
  return { ...type, shape: order.map((axis) => shape[axis]) };
}
