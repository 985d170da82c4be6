/** Pooling, resizing and reductions: channels pass, an axis that is summed or slid over stays whole. */

import type { Node } from '../../ir/node.js';
import { blockAxes, countStaying, fromFront, type Labels, type Rule, type RuleScope } from './rule.js';

const pool: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? [];
  if (node.outputs[1] !== undefined) return scope.block(node, 'its indices count channels');
  const spatial = labels.map((_, axis) => axis).slice(2);
  blockAxes(scope, labels, spatial, `${node.describe()} slides over it`);
  scope.setLabels(
    node.output(),
    labels.map((ids, axis) => (axis < 2 ? ids : undefined)),
  );
};

const resize: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  if (labels === undefined) return scope.block(node, 'its sizes are computed');
  const axes = node.ints('axes')?.map((axis) => fromFront(axis, labels.length)) ?? labels.map((_, axis) => axis);
  const out = labels.map((ids, axis) => {
    const position = axes.indexOf(axis);
    if (ids === undefined || position < 0) return ids;
    const reason = resizedAxis(node, position, ids, scope);
    if (reason !== undefined) scope.units.block(ids, reason);
    return ids;
  });
  scope.setLabels(node.output(), out);
};

/** Why an axis cannot pass a Resize. Sizes that name it are counted anew. */
function resizedAxis(node: Node, position: number, ids: Int32Array, scope: RuleScope): string | undefined {
  const [scales, sizes] = [node.constantInput(2), node.constantInput(3)];
  if (node.input(3) !== undefined) {
    const value = node.input(3);
    if (sizes === undefined || value === undefined) return `the sizes of ${node.describe()} are computed`;
    if (sizes.numbers()[position] !== ids.length) return `${node.describe()} resizes it`;
    return scope.edit({ value, index: position, compute: (stays) => countStaying(ids, stays) });
  }
  if (scales === undefined || scales.count === 0) return `the scales of ${node.describe()} are computed`;
  return scales.numbers()[position] === 1 ? undefined : `${node.describe()} resizes it`;
}

const reduce: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  if (labels === undefined) return scope.block(node, 'its axes are computed');
  const axes = reducedAxes(node, labels);
  if (axes === undefined) return scope.block(node, 'its axes are computed');
  blockAxes(scope, labels, axes, `${node.describe()} sums over it`);
  const keep = node.int('keepdims', 1) === 1;
  const out = labels.flatMap((ids, axis) => (axes.includes(axis) ? (keep ? [undefined] : []) : [ids]));
  scope.setLabels(node.output(), out);
};

function reducedAxes(node: Node, labels: Labels): number[] | undefined {
  const input = node.input(1);
  const given = input === undefined ? node.ints('axes') : node.constantInput(1)?.numbers();
  if (input !== undefined && given === undefined) return undefined;
  if (given === undefined || given.length === 0) {
    return node.int('noop_with_empty_axes', 0) === 1 ? [] : labels.map((_, axis) => axis);
  }
  return given.map((axis) => fromFront(axis, labels.length));
}

const POOLS = 'AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool'.split(' ');
const REDUCTIONS =
  'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare'.split(
    ' ',
  );

export const SPATIAL_RULES: Readonly<Record<string, Rule>> = Object.fromEntries([
  ...POOLS.map((opType) => [opType, pool] as const),
  ...REDUCTIONS.map((opType) => [opType, reduce] as const),
  ['Resize', resize] as const,
]);
