/** Questions that fusions ask about the neighbourhood of a node. */
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { constantBehind, inferRank } from './inferred-type.js';

/** The one number of a constant float32 input that broadcasts without adding dimensions to the node's other input. */
export function scalarInput(node: Node, index: number): number | undefined {
  const tensor = constantBehind(node, index);
  if (tensor === undefined || tensor.elementType !== 'float32' || tensor.count !== 1) return undefined;
  if (tensor.dims.length > 0) {
    const rank = inferRank(node.input(index === 0 ? 1 : 0));
    if (rank === undefined || rank < tensor.dims.length) return undefined;
  }
  return tensor.numbers()[0];
}

/** Of a binary operator with one scalar constant: the constant, and what it is combined with. */
export interface ScalarOperation {
  readonly data: Value;
  readonly scalar: number;
  /** Position of `data` among the inputs. */
  readonly position: 0 | 1;
}

export function scalarOperation(node: Node | undefined, ...opTypes: readonly string[]): ScalarOperation | undefined {
  if (node === undefined || !node.is(...opTypes) || node.inputs.length !== 2) return undefined;
  for (const position of [0, 1] as const) {
    const data = node.input(position);
    const scalar = scalarInput(node, 1 - position);
    if (data !== undefined && scalar !== undefined) return { data, scalar, position };
  }
  return undefined;
}

/** The other input of a binary operator. */
export function otherInput(node: Node, value: Value): Value | undefined {
  return node.input(0) === value ? node.input(1) : node.input(0);
}

/** Bounds of a Clip, whether attributes (before opset 11) or inputs; undefined if one is computed at run time. */
export function clipBounds(node: Node): { readonly minimum: number; readonly maximum: number } | undefined {
  const bound = (name: string, index: number, fallback: number) => {
    if (node.input(index) === undefined) return node.float(name, fallback);
    const tensor = constantBehind(node, index);
    return tensor?.elementType === 'float32' && tensor.count === 1 ? tensor.numbers()[0] : undefined;
  };
  const minimum = bound('min', 1, Number.NEGATIVE_INFINITY);
  const maximum = bound('max', 2, Number.POSITIVE_INFINITY);
  return minimum === undefined || maximum === undefined ? undefined : { minimum, maximum };
}

export interface Product {
  /** The multiplications and divisions, the last of which has the product as its output. */
  readonly nodes: readonly Node[];
  readonly output: Value;
}

/**
 * Follows `start` through multiplications and divisions until it was multiplied by `constant` in all and, where `x` is
 * given, once by `x` or by a scaled `x`. Undefined if the way ends or forks before.
 */
export function productOf(start: Value, constant: number, x?: Value): Product | undefined {
  const nodes: Node[] = [];
  let [current, factor, multiplied] = [start, 1, x === undefined];
  const graph = start.producer?.graph;
  while (!multiplied || !isNearly(factor, constant)) {
    const next = current.soleConsumer;
    if (next === undefined || next.graph !== graph) return undefined;
    const scalar = scalarOperation(next, 'Mul', 'Div');
    const other = otherInput(next, current);
    const scaling = other?.producer;
    const scaled = scalarOperation(scaling, 'Mul', 'Div');
    if (scalar?.data === current && (next.is('Mul') || scalar.position === 0)) {
      factor = next.is('Mul') ? factor * scalar.scalar : factor / scalar.scalar;
    } else if (!next.is('Mul') || multiplied) {
      return undefined;
    } else if (other === x) {
      multiplied = true;
    } else if (
      scaling !== undefined &&
      scaled !== undefined &&
      scaled.data === x &&
      (scaling.is('Mul') || scaled.position === 0)
    ) {
      multiplied = true;
      factor = scaling.is('Mul') ? factor * scaled.scalar : factor / scaled.scalar;
      nodes.push(scaling);
    } else return undefined;
    nodes.push(next);
    current = next.output();
  }
  return { nodes, output: current };
}

/** Whether a float32 constant is `expected`, as exporters round it. */
export function isNearly(actual: number | undefined, expected: number): boolean {
  return actual !== undefined && Math.abs(actual - expected) <= Math.abs(expected) * 1e-6;
}

/**
 * Puts `replacement` in the place of `nodes`, of which `last` computes what the outside sees. The others must be read by
 * none but each other: a string names one that is not, and nothing changed.
 */
export function replaceNodes(
  graph: Graph,
  nodes: readonly Node[],
  last: Node,
  replacement: () => readonly Node[],
): string | undefined {
  const inside = new Set(nodes);
  for (const node of inside) {
    if (node.graph !== graph) return `${node.describe()} stands in another graph`;
    if (node === last) continue;
    for (const output of node.outputs) {
      if (output === undefined) continue;
      if (output.isGraphOutput) return `'${output.name}' is an output of the graph`;
      if (output.consumers.some((consumer) => !inside.has(consumer))) return `'${output.name}' has other readers`;
    }
  }
  graph.insertBefore(last, ...replacement());
  graph.remove(...inside);
  return undefined;
}
