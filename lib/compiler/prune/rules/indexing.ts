/** Gather, Pad, Expand, Tile, Shape, ConstantOfShape. */
import type { Node } from '../../ir/node.js';
import { blockAxes, countStaying, fromFront, type Labels, type Rule, type RuleScope } from './rule.js';

const gather: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? tableLabels(node, scope);
  const indices = scope.labelsOf(node.input(1)) ?? unlabelled(node.input(1)?.rank);
  if (labels === undefined || indices === undefined) return scope.block(node, 'the rank of its indices is not known');
  const axis = fromFront(node.int('axis', 0), labels.length);
  const ids = labels[axis];
  const picked = ids === undefined ? [...indices] : pick(node, ids, indices, scope);
  scope.setLabels(node.output(), [...labels.slice(0, axis), ...picked, ...labels.slice(axis + 1)]);
};

function unlabelled(rank: number | undefined): Labels | undefined {
  return rank === undefined ? undefined : new Array(rank).fill(undefined);
}

/** An embedding table is a source along every axis but the one that is looked up in. */
function tableLabels(node: Node, scope: RuleScope): Labels | undefined {
  const table = node.constantInput(0);
  if (table?.elementType !== 'float32') return unlabelled(node.input(0)?.rank);
  const axis = fromFront(node.int('axis', 0), table.dims.length);
  return table.dims.map((size, index) => {
    if (index === axis || size < 2) return undefined;
    const ids = scope.units.create(size);
    scope.use(node, 0, index, ids, 'source');
    return ids;
  });
}

/** Constant indices into an axis that is pruned point elsewhere afterwards. */
function pick(node: Node, ids: Int32Array, indices: Labels, scope: RuleScope): (Int32Array | undefined)[] {
  const constant = node.constantInput(1);
  const value = node.input(1);
  const numbers = constant?.numbers().map((index) => fromFront(index, ids.length));
  if (numbers === undefined || value === undefined || constant?.dims.length !== 1) {
    scope.units.block(ids, `${node.describe()} picks single indices of it`);
    return [...indices];
  }
  const picked = Int32Array.from(numbers, (index) => ids[index] ?? 0);
  const obstacle = scope.replaceIntegers(value, (stays) =>
    numbers.flatMap((index) => (stays(ids[index] ?? 0) ? [countStaying(ids.slice(0, index), stays)] : [])),
  );
  if (obstacle !== undefined) scope.units.block(ids, obstacle);
  return [picked];
}

const pad: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  const pads = node.constantInput(1)?.numbers();
  const axes = node.input(3) === undefined ? labels?.map((_, axis) => axis) : node.constantInput(3)?.numbers();
  if (labels === undefined || pads === undefined || axes === undefined)
    return scope.block(node, 'its pads are computed');
  const padded = axes.filter((_, position) => pads[position] !== 0 || pads[position + axes.length] !== 0);
  const positions = padded.map((axis) => fromFront(axis, labels.length));
  blockAxes(scope, labels, positions, `${node.describe()} pads it`);
  scope.setLabels(
    node.output(),
    labels.map((ids, axis) => (positions.includes(axis) ? undefined : ids)),
  );
};

const expand: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  const value = node.input(1);
  const shape = node.constantInput(1)?.numbers();
  if (labels === undefined || value === undefined || shape === undefined)
    return scope.block(node, 'its shape is computed');
  const rank = Math.max(labels.length, shape.length);
  const out = Array.from({ length: rank }, (_, axis) => {
    const ids = labels.at(axis - rank);
    const index = axis - rank + shape.length;
    const size = index < 0 ? 1 : shape[index];
    if (axis - rank + labels.length < 0 || ids === undefined) return undefined;
    if (size === ids.length) {
      const obstacle = scope.edit({ value, index, compute: (stays) => countStaying(ids, stays) });
      if (obstacle !== undefined) scope.units.block(ids, obstacle);
    } else if (size !== 1) scope.units.block(ids, `${node.describe()} widens it`);
    return ids;
  });
  scope.setLabels(node.output(), out);
};

const tile: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  const repeats = node.constantInput(1)?.numbers();
  if (labels === undefined || repeats === undefined) return scope.block(node, 'its repeats are computed');
  const repeated = repeats.flatMap((count, axis) => (count === 1 ? [] : [axis]));
  blockAxes(scope, labels, repeated, `${node.describe()} repeats it`);
  scope.setLabels(
    node.output(),
    labels.map((ids, axis) => (repeated.includes(axis) ? undefined : ids)),
  );
};

/** Sizes that are computed with: those of labelled axes must not be among what is read. */
const shape: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? [];
  const start = fromFront(node.int('start', 0), labels.length);
  const end = fromFront(node.int('end', labels.length), labels.length);
  const read = new Set<number>();
  const values = [node.output()];
  for (const value of values) {
    for (const use of value.uses) {
      if (use.kind === 'input' && use.node.is('Cast', 'Identity')) {
        values.push(use.node.output());
        continue;
      }
      const axes = use.kind === 'input' ? elementsRead(use.node, end - start) : undefined;
      for (const axis of axes ?? labels.keys()) read.add(axes === undefined ? axis : axis + start);
    }
  }
  blockAxes(scope, labels, read, `its size is computed with, after ${node.describe()}`);
};

/** Which elements of a vector a node picks; undefined for all. */
function elementsRead(node: Node, length: number): number[] | undefined {
  if (node.is('Gather') && node.int('axis', 0) === 0) {
    return node
      .constantInput(1)
      ?.numbers()
      .map((index) => fromFront(index, length));
  }
  if (!node.is('Slice') || (node.input(4) !== undefined && node.constantInput(4)?.numbers()[0] !== 1)) return undefined;
  const [start, end] = [1, 2].map((index) => Number(node.constantInput(index)?.typed()[0] ?? Number.NaN));
  if (start === undefined || end === undefined || Number.isNaN(start + end)) return undefined;
  const clamp = (bound: number) => Math.min(Math.max(fromFront(bound, length), 0), length);
  return Array.from({ length: Math.max(0, clamp(end) - clamp(start)) }, (_, index) => clamp(start) + index);
}

const constantOfShape: Rule = (node, scope) => {
  const value = node.input(0);
  const sizes = node.constantInput(0)?.numbers();
  if (value === undefined || sizes === undefined) return;
  const labels = sizes.map((size, index) => {
    if (size < 2) return undefined;
    const ids = scope.units.create(size);
    const obstacle = scope.edit({ value, index, compute: (stays) => countStaying(ids, stays) });
    if (obstacle !== undefined) scope.units.block(ids, obstacle);
    return ids;
  });
  scope.setLabels(node.output(), labels);
};

export const INDEXING_RULES: Readonly<Record<string, Rule>> = {
  ConstantOfShape: constantOfShape,
  Expand: expand,
  Gather: gather,
  Pad: pad,
  Shape: shape,
  Tile: tile,
};
