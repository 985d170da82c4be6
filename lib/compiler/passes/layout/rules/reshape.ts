/** Reshape and Flatten, where each axis of one side is made of neighbours of the other, in order. */
import type { Node } from '../../../ir/node.js';
import type { Dimension } from '../../../ir/value.js';
import { type Order, orderWith, range, reordered } from '../order.js';
import { listInput, orderOrNothing, type Rule, shapeOf, wants } from './rule.js';
import { reorderedReaders } from './weight-rows.js';

/** A size that is open has the name of its dimension, or that of its place: it is equal to itself only. */
export type Size = number | string;

/** A run of axes of the input that becomes a run of axes of the output. Axes of size 1 belong to none. */
interface Group {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

export const reshape: Rule = (node, port, order) => {
  const before = sizesOf(shapeOf(node.input(0)));
  if (before === undefined) return wants(node, 'has an input of unknown rank');
  const after = targetSizes(node, before);
  if (after === undefined) return wants(node, 'takes a shape that is not known');
  const groups = groupsOf(before, after);
  if (groups === undefined) return wants(node, 'takes a shape whose axes are not those of its input');
  const [given, other] = port.kind === 'input' ? (['from', 'to'] as const) : (['to', 'from'] as const);
  const sizes = { from: before, to: after };
  if (order.length !== sizes[given].length) return wants(node, 'has another rank than it was said to');
  const moved = groupOrder(order, groups, given, sizes[given]);
  if (moved === undefined) {
    return (
      (port.kind === 'input' ? reorderedReaders(node, order, before, after) : undefined) ??
      wants(node, 'joins axes that would not be neighbours')
    );
  }
  const rest = moved.flatMap((group) => group[other]);
  const ones = range(0, sizes[other].length).filter((axis) => !rest.includes(axis));
  const ascending = [...rest].sort((a, b) => a - b);
  const implied = orderWith(
    rest.map((axis) => ascending.indexOf(axis)),
    ones,
  );
  const [input, output] = port.kind === 'input' ? [order, implied] : [implied, order];
  const shape = writtenShape(reordered(before, input), reordered(after, output));
  if (shape === undefined) return wants(node, 'takes a shape with more than one open size');
  return {
    inputs: [orderOrNothing(input)],
    outputs: [orderOrNothing(output)],
    apply(rewriter) {
      node.opType = 'Reshape';
      node.attributes.clear();
      const unused = node.input(1);
      node.setInput(1, rewriter.int64(shape, `${node.output().name}/shape`));
      if (unused?.uses.size === 0 && !rewriter.graph.hasInput(unused)) rewriter.graph.initializers.delete(unused);
    },
  };
};

export function sizesOf(shape: readonly Dimension[] | undefined): Size[] | undefined {
  return shape?.map((size, axis) => size ?? `?${axis}`);
}

/** What a Reshape or a Flatten makes of sizes, as far as that can be told; undefined where it cannot. */
export function targetSizes(node: Node, before: readonly Size[]): Size[] | undefined {
  if (node.is('Flatten')) {
    const at = node.int('axis', 1);
    const axis = at < 0 ? at + before.length : at;
    const sides = [before.slice(0, axis), before.slice(axis)].map(joined);
    return sides.every((size) => size !== undefined) ? (sides as Size[]) : undefined;
  }
  const wanted = listInput(node, 1);
  if (typeof wanted === 'string') return undefined;
  const copies = node.int('allowzero', 0) === 0;
  const sizes = wanted.map((size, axis) => (size === 0 && copies ? before[axis] : size));
  const open = sizes.indexOf(-1);
  if (open >= 0)
    sizes[open] = quotient(
      before,
      sizes.filter((_, axis) => axis !== open),
    );
  return sizes.every((size) => size !== undefined) ? (sizes as Size[]) : undefined;
}

/** The size of several axes in one: open ones only alone. */
function joined(sizes: readonly Size[]): Size | undefined {
  const open = sizes.filter((size) => typeof size === 'string');
  const product = sizes.reduce<number>((all, size) => (typeof size === 'number' ? all * size : all), 1);
  if (open.length === 0) return product;
  return open.length === 1 && product === 1 ? open[0] : undefined;
}

/** What is left of `whole` without `parts`. */
function quotient(whole: readonly Size[], parts: readonly (Size | undefined)[]): Size | undefined {
  const names = whole.filter((size) => typeof size === 'string');
  let divisor = 1;
  for (const part of parts) {
    if (typeof part === 'number') divisor *= part;
    else if (part === undefined || !names.includes(part)) return undefined;
    else names.splice(names.indexOf(part), 1);
  }
  const product = whole.reduce<number>((all, size) => (typeof size === 'number' ? all * size : all), 1);
  if (divisor === 0 || product % divisor !== 0) return undefined;
  return joined([product / divisor, ...names]);
}

/** The finest runs that keep products equal, from the front; undefined where open sizes hide them. */
function groupsOf(before: readonly Size[], after: readonly Size[]): Group[] | undefined {
  const [left, right] = [before, after].map((sizes) => sizes.flatMap((size, axis) => (size === 1 ? [] : [axis])));
  if (left === undefined || right === undefined) return undefined;
  const groups: Group[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    const [from, to] = [[left[i++] as number], [right[j++] as number]];
    for (;;) {
      const [a, b] = [joined(from.map((axis) => before[axis] as Size)), joined(to.map((axis) => after[axis] as Size))];
      if (a === undefined || b === undefined) return undefined;
      if (a === b) break;
      if (typeof a === 'string' || typeof b === 'string' || a === 0 || b === 0) return undefined;
      const axis = a < b ? left[i++] : right[j++];
      if (axis === undefined) return undefined;
      (a < b ? from : to).push(axis);
    }
    groups.push({ from, to });
  }
  return i === left.length && j === right.length ? groups : undefined;
}

/** The groups in the order that `order` brings them to; undefined where it takes one apart. */
function groupOrder(
  order: Order,
  groups: readonly Group[],
  side: 'from' | 'to',
  sizes: readonly Size[],
): Group[] | undefined {
  const rest = order.filter((axis) => sizes[axis] !== 1);
  const result: Group[] = [];
  while (rest.length > 0) {
    const group = groups.find((each) => each[side][0] === rest[0]);
    if (group === undefined) return undefined;
    const run = rest.splice(0, group[side].length);
    if (!run.every((axis, index) => axis === group[side][index])) return undefined;
    result.push(group);
  }
  return result;
}

/** The numbers that a Reshape is told; undefined where more than one is open. */
export function writtenShape(before: readonly Size[], after: readonly Size[]): number[] | undefined {
  let open = 0;
  const empty = after.includes(0);
  const shape = after.map((size, axis) => {
    if (typeof size === 'number') return size;
    // 0 copies the size that stands there.
    if (before[axis] === size) return 0;
    open++;
    return -1;
  });
  return open > 1 || empty ? undefined : shape;
}
