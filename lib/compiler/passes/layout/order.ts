/** Orders of axes: axis `i` of the result is axis `order[i]` of what is reordered, as Transpose's `perm` says it. */
import type { Dimension } from '../../ir/value.js';

export type Order = readonly number[];

export function isSorted(order: Order): boolean {
  return order.every((axis, index) => axis === index);
}

export function isSameOrder(a: Order, b: Order): boolean {
  return a.length === b.length && a.every((axis, index) => axis === b[index]);
}

/** What undoes `order`. */
export function inverse(order: Order): number[] {
  return order.map((_, axis) => order.indexOf(axis));
}

/** The one order that does what `first` and then `second` do. */
export function inTurn(first: Order, second: Order): number[] {
  return reordered(first, second);
}

export function reordered<T>(items: readonly T[], order: Order): T[] {
  return order.map((axis) => items[axis] as T);
}

/** Where axes are found once the tensor is reordered. */
export function movedAxes(axes: readonly number[], order: Order): number[] {
  return axes.map((axis) => order.indexOf(axis));
}

/** `order` of the axes that are left when `axes` are taken out, numbered anew. */
export function orderWithout(order: Order, axes: readonly number[]): number[] {
  const taken = new Set(axes);
  const left = order.filter((axis) => !taken.has(axis));
  const ascending = [...left].sort((a, b) => a - b);
  return left.map((axis) => ascending.indexOf(axis));
}

/** `order` for a tensor that has further axes, at the positions `axes`: those stay where they are. */
export function orderWith(order: Order, axes: readonly number[]): number[] {
  const rank = order.length + axes.length;
  const added = new Set(axes);
  const others = range(0, rank).filter((axis) => !added.has(axis));
  const rest = order.map((axis) => others[axis] as number);
  return range(0, rank).map((axis) => (added.has(axis) ? axis : (rest.shift() as number)));
}

/** Whether reordering leaves every element where it is in memory: only axes of size 1 change places. */
export function movesNothing(shape: readonly Dimension[] | undefined, order: Order): boolean {
  if (isSorted(order)) return true;
  if (shape === undefined) return false;
  const moving = order.filter((axis) => shape[axis] !== 1);
  return moving.every((axis, index) => index === 0 || axis > (moving[index - 1] as number));
}

export function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, index) => start + index);
}
