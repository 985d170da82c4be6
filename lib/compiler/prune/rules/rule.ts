/** What the rules of operators are given: labels of values to read and to set, and a place to record what a removal changes. */
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { Units } from '../units.js';

/** Per axis the unit of each index; undefined for an axis of which nothing can be removed. */
export type Labels = readonly (Int32Array | undefined)[];

/**
 * What an axis of a weight is to its units: `source` makes them (output channels), `sink` sums over them (input channels), `pass` works on
 * each alone (depthwise filters, biases, scales).
 */
export type Role = 'source' | 'sink' | 'pass';

export interface WeightUse {
  readonly value: Value;
  readonly axis: number;
  readonly ids: Int32Array;
  readonly role: Role;
  readonly node: Node;
}

/** One element of an integer constant (a shape, a bound, a size) that depends on what is removed. */
export interface ElementEdit {
  readonly value: Value;
  readonly index: number;
  /** The number for the units that stay. */
  readonly compute: (stays: (id: number) => boolean) => number;
}

export interface RuleScope {
  readonly units: Units;
  /** undefined where no axis is labelled. */
  labelsOf(value: Value | undefined): Labels | undefined;
  setLabels(value: Value | undefined, labels: Labels): void;
  /** Ties an axis of a weight, input `input` of `node`, to units. */
  use(node: Node, input: number, axis: number, ids: Int32Array, role: Role): void;
  /** @returns why the constant cannot be changed, if it cannot */
  edit(edit: ElementEdit): string | undefined;
  /** An integer constant that is replaced as a whole. */
  replaceIntegers(value: Value, compute: (stays: (id: number) => boolean) => readonly number[]): string | undefined;
  /** All labelled axes of the node's inputs stay. */
  block(node: Node, why: string): void;
}

/** Reads the labels of a node's inputs, sets those of its outputs. Only called where an input is labelled, or for what makes labels. */
export type Rule = (node: Node, scope: RuleScope) => void;

/** Keeps what is on the axes in `axes`. */
export function blockAxes(scope: RuleScope, labels: Labels, axes: Iterable<number>, reason: string): void {
  for (const axis of axes) {
    const ids = labels[axis];
    if (ids !== undefined) scope.units.block(ids, reason);
  }
}

/** Joins index by index; different lengths are kept. */
export function joinAll(scope: RuleScope, a: Int32Array, b: Int32Array, reason: string): void {
  if (a.length !== b.length) {
    scope.units.block(a, reason);
    scope.units.block(b, reason);
    return;
  }
  for (let index = 0; index < a.length; index++) scope.units.join(a[index] ?? 0, b[index] ?? 0);
}

/** How many of `ids` stay. */
export function countStaying(ids: Int32Array, stays: (id: number) => boolean): number {
  let count = 0;
  for (const id of ids) if (stays(id)) count++;
  return count;
}

/** An axis counted from the front. */
export function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Sizes by axis; undefined for one that is not fixed. Of unknown rank: undefined. */
export function sizesOf(value: Value | undefined): (number | undefined)[] | undefined {
  const shape = value?.initializer?.dims ?? (value?.type?.kind === 'tensor' ? value.type.shape : undefined);
  return shape?.map((dim) => (typeof dim === 'number' ? dim : undefined));
}
