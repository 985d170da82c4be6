/** Operators that move elements about: parts of an axis keep their units. */
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import { countStaying, fromFront, joinAll, type Rule, type RuleScope, sizesOf } from './rule.js';

const concat: Rule = (node, scope) => {
  const rank = node.inputs
    .map((value) => scope.labelsOf(value)?.length ?? value?.rank)
    .find((known) => known !== undefined);
  if (rank === undefined) return scope.block(node, 'its rank is not known');
  const joined = fromFront(node.int('axis', 0), rank);
  const out = Array.from({ length: rank }, (_, axis) =>
    axis === joined ? joinParts(node, axis, scope) : alongside(node, axis, scope),
  );
  scope.setLabels(node.output(), out);
};

function joinParts(node: Node, axis: number, scope: RuleScope): Int32Array | undefined {
  const labelled = node.inputs.map((value) => scope.labelsOf(value)?.[axis]);
  if (labelled.every((ids) => ids === undefined)) return undefined;
  const parts: number[] = [];
  for (const [index, value] of node.inputs.entries()) {
    const ids = labelled[index] ?? unlabelledPart(node, index, axis, scope);
    if (ids === undefined) {
      const reason = `${node.describe()} joins it with '${value?.name}', whose size is not known`;
      for (const others of labelled) if (others !== undefined) scope.units.block(others, reason);
      return undefined;
    }
    for (const id of ids) parts.push(id);
  }
  return Int32Array.from(parts);
}

function unlabelledPart(node: Node, index: number, axis: number, scope: RuleScope): Int32Array | undefined {
  const size = sizesOf(node.input(index))?.[axis];
  if (size === undefined) return undefined;
  const ids = scope.units.create(size);
  if (node.constantInput(index) !== undefined) scope.use(node, index, axis, ids, 'pass');
  else scope.units.block(ids, `'${node.input(index)?.name}' cannot be pruned`);
  return ids;
}

/** An axis on which all inputs of a Concat agree. */
function alongside(node: Node, axis: number, scope: RuleScope): Int32Array | undefined {
  const labelled = node.inputs.map((value) => scope.labelsOf(value)?.[axis]);
  const ids = labelled.find((found) => found !== undefined);
  if (ids === undefined) return undefined;
  for (const [index, other] of labelled.entries()) {
    if (other !== undefined) joinAll(scope, ids, other, `${node.describe()} joins different sizes`);
    else if (node.constantInput(index) !== undefined) scope.use(node, index, axis, ids, 'pass');
    else
      scope.units.block(ids, `${node.describe()} joins it with '${node.input(index)?.name}', which cannot be pruned`);
  }
  return ids;
}

const split: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  if (labels === undefined) return scope.block(node, 'its sizes are computed');
  const axis = fromFront(node.int('axis', 0), labels.length);
  const ids = labels[axis];
  const sizes = ids === undefined ? undefined : partSizes(node, ids, scope);
  let start = 0;
  for (const [index, output] of node.outputs.entries()) {
    const part = sizes === undefined ? undefined : ids?.slice(start, start + (sizes[index] ?? 0));
    start += sizes?.[index] ?? 0;
    scope.setLabels(
      output,
      labels.map((other, position) => (position === axis ? part : other)),
    );
  }
};

function partSizes(node: Node, ids: Int32Array, scope: RuleScope): readonly number[] | undefined {
  const value = node.input(1);
  if (value === undefined) {
    const size = ids.length / node.outputs.length;
    if (!Number.isInteger(size)) {
      scope.units.block(ids, `${node.describe()} makes parts of different sizes`);
      return undefined;
    }
    // Parts stay equal, because nothing says how large each is.
    for (let index = size; index < ids.length; index++) scope.units.join(ids[index] ?? 0, ids[index % size] ?? 0);
    return node.outputs.map(() => size);
  }
  const sizes = node.constantInput(1)?.numbers();
  if (sizes === undefined) {
    scope.units.block(ids, `the sizes of ${node.describe()} are computed`);
    return undefined;
  }
  let start = 0;
  for (const [index, size] of sizes.entries()) {
    const part = ids.slice(start, start + size);
    start += size;
    const obstacle = scope.edit({ value, index, compute: (stays) => countStaying(part, stays) });
    if (obstacle !== undefined) scope.units.block(ids, obstacle);
  }
  return sizes;
}

/** Bounds beyond 2^53 mean the end: as doubles they still do. */
function integers(tensor: Tensor | undefined): number[] | undefined {
  return tensor === undefined ? undefined : Array.from(tensor.typed(), Number);
}

const slice: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  const [starts, ends] = [1, 2].map((index) => integers(node.constantInput(index)));
  if (labels === undefined || starts === undefined || ends === undefined)
    return scope.block(node, 'its bounds are computed');
  const axes = node.input(3) === undefined ? starts.map((_, axis) => axis) : node.constantInput(3)?.numbers();
  const steps = node.input(4) === undefined ? starts.map(() => 1) : node.constantInput(4)?.numbers();
  if (axes === undefined || steps === undefined) return scope.block(node, 'its axes are computed');
  const out = [...labels];
  for (const [position, given] of axes.entries()) {
    const axis = fromFront(given, labels.length);
    const ids = labels[axis];
    if (ids === undefined) continue;
    if (steps[position] !== 1) {
      scope.units.block(ids, `${node.describe()} takes every few of it`);
      continue;
    }
    out[axis] = sliceAxis(node, position, ids, starts[position] ?? 0, ends[position] ?? 0, scope);
  }
  scope.setLabels(node.output(), out);
};

function sliceAxis(
  node: Node,
  position: number,
  ids: Int32Array,
  start: number,
  end: number,
  scope: RuleScope,
): Int32Array {
  const clamp = (bound: number) => Math.min(Math.max(bound < 0 ? bound + ids.length : bound, 0), ids.length);
  const [first, last] = [clamp(start), clamp(end)];
  for (const [input, given, bound] of [
    [1, start, first],
    [2, end, last],
  ] as const) {
    const value = node.input(input);
    // 0 stays 0, and a bound beyond the end is cut to whatever the end is.
    if (value === undefined || given === 0 || given >= ids.length) continue;
    const before = ids.slice(0, bound);
    const obstacle = scope.edit({ value, index: position, compute: (stays) => countStaying(before, stays) });
    if (obstacle !== undefined) scope.units.block(ids, obstacle);
  }
  return ids.slice(first, Math.max(first, last));
}

export const MOVEMENT_RULES: Readonly<Record<string, Rule>> = { Concat: concat, Slice: slice, Split: split };
