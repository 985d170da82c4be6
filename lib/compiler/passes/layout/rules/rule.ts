/**
 * How a node computes the same on reordered inputs. A rule is told the order of one input or output, and answers with the orders of all
 * others; the pass decides which nodes change.
 */
import type { Node } from '../../../ir/node.js';
import type { Tensor } from '../../../ir/tensor.js';
import type { Dimension, Value } from '../../../ir/value.js';
import { isSorted, type Order } from '../order.js';
import { canReorder, reorderTensor } from '../reorder-tensor.js';
import type { Rewriter } from '../rewriter.js';

export interface Port {
  readonly kind: 'input' | 'output';
  readonly index: number;
}

export interface Reordering {
  /** By position: the changed node reads the input reordered so; undefined: as it is. Constants come undefined, `apply` reorders them. */
  readonly inputs: readonly (Order | undefined)[];
  /** By position: the changed node returns the output reordered so. */
  readonly outputs: readonly (Order | undefined)[];
  /** Transposes that onnxruntime makes inside of the node, as it is and once it is changed. Default none. */
  readonly hidden?: { readonly before: number; readonly after: number };
  /** Not worth it for its own sake: the changed node is another operator, or needs others beside it. */
  readonly reluctant?: boolean;
  /** Changes attributes and constants; reordered inputs and outputs are not its business. */
  apply(rewriter: Rewriter): void;
}

/** A string says why the node wants its axes as they are. */
export type Rule = (node: Node, port: Port, order: Order) => Reordering | string;

export function shapeOf(value: Value | undefined): readonly Dimension[] | undefined {
  return value?.initializer?.dims ?? (value?.type?.kind === 'tensor' ? value.type.shape : undefined);
}

/** Orders by position, nothing where nothing moves. */
export function orderOrNothing(order: Order): Order | undefined {
  return isSorted(order) ? undefined : order;
}

/** An axis counted from the front; undefined where it does not exist. */
export function frontAxis(axis: number, rank: number): number | undefined {
  const front = axis < 0 ? axis + rank : axis;
  return front >= 0 && front < rank ? front : undefined;
}

export function frontAxes(axes: readonly number[], rank: number): number[] | undefined {
  const fronts = axes.map((axis) => frontAxis(axis, rank));
  return fronts.every((axis) => axis !== undefined) ? (fronts as number[]) : undefined;
}

/** Whole numbers of a constant input: 'absent' where it is left out, 'computed' where it is no constant. */
export function listInput(node: Node, index: number): readonly number[] | 'absent' | 'computed' {
  if (node.input(index) === undefined) return 'absent';
  const constant = node.constantInput(index);
  if (constant === undefined) return 'computed';
  // Ends of slices are often the largest int64, of which only the size matters.
  return Array.from(constant.typed() as BigInt64Array, Number);
}

export function wants(node: Node, what: string): string {
  return `${node.describe()} ${what}`;
}

/**
 * The same order for the inputs at `positions` and for every output. Constants among them are reordered when the rule is applied.
 * @param change what else has to change
 */
export function throughout(
  node: Node,
  order: Order,
  positions: readonly number[],
  change: (rewriter: Rewriter) => void = () => {},
): Reordering | string {
  const inputs: (Order | undefined)[] = [];
  const constants: [number, Tensor][] = [];
  for (const index of positions) {
    const value = node.input(index);
    if (value === undefined) continue;
    const constant = node.constantInput(index);
    if ((constant?.dims.length ?? value.rank ?? order.length) !== order.length) {
      return wants(node, `reads '${value.name}', which has another rank`);
    }
    if (constant === undefined) inputs[index] = order;
    else if (!canReorder(constant)) return wants(node, `reads a constant of ${constant.elementType}`);
    else constants.push([index, constant]);
  }
  return {
    inputs,
    outputs: node.outputs.map((output) => (output === undefined ? undefined : order)),
    apply(rewriter) {
      for (const [index, tensor] of constants) rewriter.replaceConstant(node, index, reorderTensor(tensor, order));
      change(rewriter);
    },
  };
}
