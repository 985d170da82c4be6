/** Operators that name several axes, or say something of each: reductions, Squeeze, Unsqueeze, Slice, Pad, Resize, Tile. */
import { attribute } from '../../../ir/attribute.js';
import type { Node } from '../../../ir/node.js';
import { movedAxes, type Order, orderWith, orderWithout, range } from '../order.js';
import type { Rewriter } from '../rewriter.js';
import { frontAxes, listInput, orderOrNothing, type Rule, shapeOf, throughout, wants } from './rule.js';

/** The axes that an attribute or an input names, which they are since some version. */
function namedAxes(node: Node, index: number): readonly number[] | 'absent' | 'computed' {
  return node.ints('axes') ?? listInput(node, index);
}

function nameAxes(rewriter: Rewriter, node: Node, index: number, axes: readonly number[]): void {
  if (node.attributes.has('axes')) node.attributes.set('axes', attribute.ints(axes));
  else {
    // A left-out input is filled in; one that others read too is theirs.
    const name = `${node.output().name}/axes`;
    const before = node.input(index);
    node.setInput(index, rewriter.int64(axes, name));
    if (before?.uses.size === 0 && !rewriter.graph.hasInput(before)) rewriter.graph.initializers.delete(before);
  }
}

const ascending = (axes: readonly number[]) => [...axes].sort((a, b) => a - b);

/** Sums over elements that lie otherwise in memory may be rounded otherwise. */
export const reduce: Rule = (node, port, order) => {
  const named = namedAxes(node, 1);
  if (named === 'computed') return wants(node, 'reduces computed axes');
  const keeps = node.int('keepdims', 1) === 1;
  if (named === 'absent' || named.length === 0) return reduceAll(node, order, keeps);
  const rank = port.kind === 'input' || keeps ? order.length : order.length + named.length;
  const axes = frontAxes(named, rank);
  if (axes === undefined) return wants(node, 'reduces an axis that its input does not have');
  const input = port.kind === 'input' || keeps ? order : orderWith(order, axes);
  const output = keeps ? input : orderWithout(input, axes);
  return {
    inputs: [orderOrNothing(input)],
    outputs: [orderOrNothing(output)],
    apply: (rewriter) => nameAxes(rewriter, node, 1, ascending(movedAxes(axes, input))),
  };
};

/** Without axes: everything, or nothing at all. */
function reduceAll(node: Node, order: Order, keeps: boolean): ReturnType<Rule> {
  if (node.int('noop_with_empty_axes', 0) === 1) return throughout(node, order, [0]);
  return { inputs: [order], outputs: [keeps ? order : undefined], apply: () => {} };
}

/** From the output it is not known where the axes were that are gone: they stay where they are. */
export const squeeze: Rule = (node, port, order) => {
  const shape = shapeOf(node.input(0));
  const named = namedAxes(node, 1);
  if (named === 'computed' || shape === undefined) return wants(node, 'removes unknown axes');
  if (named === 'absent' && shape.some((size) => typeof size !== 'number')) return wants(node, 'removes unknown axes');
  const axes =
    named === 'absent' ? range(0, shape.length).filter((axis) => shape[axis] === 1) : frontAxes(named, shape.length);
  if (axes === undefined) return wants(node, 'removes an axis that its input does not have');
  const input = port.kind === 'input' ? order : orderWith(order, axes);
  if (input.length !== shape.length) return wants(node, 'returns another rank than it was said to');
  return {
    inputs: [orderOrNothing(input)],
    outputs: [orderOrNothing(orderWithout(input, axes))],
    apply: (rewriter) => nameAxes(rewriter, node, 1, ascending(movedAxes(axes, input))),
  };
};

export const unsqueeze: Rule = (node, port, order) => {
  const named = namedAxes(node, 1);
  if (typeof named === 'string') return wants(node, 'adds computed axes');
  const rank = port.kind === 'output' ? order.length : order.length + named.length;
  const axes = frontAxes(named, rank);
  if (axes === undefined) return wants(node, 'adds an axis that its output does not have');
  const output = port.kind === 'output' ? order : orderWith(order, axes);
  return {
    inputs: [orderOrNothing(orderWithout(output, axes))],
    outputs: [orderOrNothing(output)],
    apply: (rewriter) => nameAxes(rewriter, node, 1, ascending(movedAxes(axes, output))),
  };
};

export const slice: Rule = (node, _port, order) => {
  const named = namedAxes(node, 3);
  const starts = node.ints('starts')?.length ?? shapeOf(node.input(1))?.[0];
  if (named === 'computed' || typeof starts !== 'number') return wants(node, 'cuts unknown axes');
  const axes = frontAxes(named === 'absent' ? range(0, starts) : named, order.length);
  if (axes === undefined) return wants(node, 'cuts an axis that its input does not have');
  return throughout(node, order, [0], (rewriter) => nameAxes(rewriter, node, 3, movedAxes(axes, order)));
};

export const pad: Rule = (node, _port, order) => {
  const rank = order.length;
  if (node.attributes.has('pads')) return wants(node, 'is of an old version');
  const named = listInput(node, 3);
  if (named === 'computed') return wants(node, 'pads computed axes');
  if (named !== 'absent') {
    const axes = frontAxes(named, rank);
    if (axes === undefined) return wants(node, 'pads an axis that its input does not have');
    return throughout(node, order, [0], (rewriter) => nameAxes(rewriter, node, 3, movedAxes(axes, order)));
  }
  return throughout(node, order, [0], (rewriter) => {
    rewriter.reorderVector(node, 1, [...order, ...order.map((axis) => axis + rank)]);
  });
};

/** Interpolation of elements that lie otherwise in memory may be rounded otherwise. */
export const resize: Rule = (node, _port, order) => {
  const rank = order.length;
  if (node.inputs.length < 3) return wants(node, 'is of an old version');
  const named = node.ints('axes');
  if (named !== undefined) {
    const axes = frontAxes(named, rank);
    if (axes === undefined) return wants(node, 'resizes an axis that its input does not have');
    return throughout(node, order, [0], () => {
      node.attributes.set('axes', attribute.ints(movedAxes(axes, order)));
    });
  }
  const isGiven = (index: number) => {
    const value = node.input(index);
    return value !== undefined && shapeOf(value)?.[0] !== 0;
  };
  return throughout(node, order, [0], (rewriter) => {
    if (isGiven(1)) rewriter.reorderVector(node, 1, [...order, ...order.map((axis) => axis + rank)]);
    for (const index of [2, 3]) if (isGiven(index)) rewriter.reorderVector(node, index, order);
  });
};

export const tile: Rule = (node, _port, order) =>
  throughout(node, order, [0], (rewriter) => rewriter.reorderVector(node, 1, order));
