/** Conv, ConvTranspose, Gemm, MatMul: sinks of the channels that come in, sources of those that go out. */
import type { Node } from '../../ir/node.js';
import { blockAxes, joinAll, type Labels, type Rule, type RuleScope } from './rule.js';

function isWeight(node: Node, input: number): boolean {
  return node.constantInput(input)?.elementType === 'float32';
}

/** New units on an axis of a weight, if there is more than one index to choose from. */
function source(node: Node, input: number, axis: number, scope: RuleScope): Int32Array | undefined {
  const size = node.constantInput(input)?.dims[axis] ?? 0;
  if (size < 2) return undefined;
  const ids = scope.units.create(size);
  scope.use(node, input, axis, ids, 'source');
  return ids;
}

function vector(node: Node, input: number, ids: Int32Array | undefined, scope: RuleScope): void {
  if (ids === undefined || node.input(input) === undefined) return;
  const constant = node.constantInput(input);
  if (constant?.dims.length === 1 && constant.count === ids.length) scope.use(node, input, 0, ids, 'pass');
  else scope.units.block(ids, `the bias of ${node.describe()} is not one constant number per channel`);
}

const convolution: Rule = (node, scope) => {
  const weight = node.constantInput(1);
  if (weight === undefined || !isWeight(node, 1)) return scope.block(node, 'its weights are not float32 constants');
  const rank = weight.dims.length;
  const transposed = node.opType === 'ConvTranspose';
  const data = scope.labelsOf(node.input(0));
  if (data !== undefined) {
    const spatial = data.map((_, axis) => axis).slice(2);
    blockAxes(scope, data, spatial, `${node.describe()} slides over it`);
  }
  const groups = node.int('group', 1);
  const channels =
    groups === 1 ? whole(node, data?.[1], transposed, scope) : grouped(node, data?.[1], groups, transposed, scope);
  vector(node, 2, channels, scope);
  const labels: (Int32Array | undefined)[] = new Array(rank).fill(undefined);
  labels[0] = data?.[0];
  labels[1] = channels;
  scope.setLabels(node.output(), labels);
};

function whole(node: Node, ids: Int32Array | undefined, transposed: boolean, scope: RuleScope): Int32Array | undefined {
  if (ids !== undefined) scope.use(node, 1, transposed ? 0 : 1, ids, 'sink');
  return source(node, 1, transposed ? 1 : 0, scope);
}

/** Whole groups come out, with all that goes into them and out of them. */
function grouped(
  node: Node,
  ids: Int32Array | undefined,
  groups: number,
  transposed: boolean,
  scope: RuleScope,
): Int32Array | undefined {
  const [first = 0, second = 0] = node.constantInput(1)?.dims ?? [];
  if (ids === undefined) return undefined;
  const [inputs, outputs] = transposed ? [first, second * groups] : [second * groups, first];
  if (ids.length !== inputs || outputs % groups !== 0 || inputs % groups !== 0) {
    scope.units.block(ids, `the weights of ${node.describe()} do not have the shape that its groups need`);
    return undefined;
  }
  const perGroup = inputs / groups;
  for (let index = 0; index < inputs; index++) {
    scope.units.join(ids[index] ?? 0, ids[index - (index % perGroup)] ?? 0);
  }
  const out = Int32Array.from({ length: outputs }, (_, index) => {
    return ids[Math.floor(index / (outputs / groups)) * perGroup] ?? 0;
  });
  scope.use(node, 1, 0, transposed ? ids : out, 'pass');
  return out;
}

const gemm: Rule = (node, scope) => {
  const [a, b] = [scope.labelsOf(node.input(0)), scope.labelsOf(node.input(1))];
  const [rows, inner] = node.int('transA', 0) === 1 ? [a?.[1], a?.[0]] : [a?.[0], a?.[1]];
  const transposed = node.int('transB', 0) === 1;
  let columns: Int32Array | undefined;
  if (isWeight(node, 1)) {
    if (inner !== undefined) scope.use(node, 1, transposed ? 1 : 0, inner, 'sink');
    columns = source(node, 1, transposed ? 0 : 1, scope);
  } else {
    contract(node, inner, transposed ? b?.[1] : b?.[0], scope);
    columns = transposed ? b?.[0] : b?.[1];
  }
  addMatrix(node, rows, columns, scope);
  scope.setLabels(node.output(), [rows, columns]);
};

/** Gemm's third input, broadcast to [rows, columns]. */
function addMatrix(node: Node, rows: Int32Array | undefined, columns: Int32Array | undefined, scope: RuleScope): void {
  if (node.input(2) === undefined) return;
  const constant = node.constantInput(2);
  for (const [ids, fromEnd] of [
    [columns, 1],
    [rows, 2],
  ] as const) {
    if (ids === undefined) continue;
    const axis = (constant?.dims.length ?? 0) - fromEnd;
    const size = axis < 0 ? 1 : (constant?.dims[axis] ?? 1);
    if (constant === undefined) scope.units.block(ids, `${node.describe()} adds what it is not known to match`);
    else if (size === ids.length) scope.use(node, 2, axis, ids, 'pass');
    else if (size !== 1) scope.units.block(ids, `${node.describe()} adds a constant of another size`);
  }
}

/** Two activations multiplied and summed along an axis: nothing could make up for what is missing. */
function contract(node: Node, a: Int32Array | undefined, b: Int32Array | undefined, scope: RuleScope): void {
  for (const ids of [a, b]) {
    if (ids !== undefined) scope.units.block(ids, `${node.describe()} multiplies two activations along it`);
  }
}

const matMul: Rule = (node, scope) => {
  const [a, b] = [scope.labelsOf(node.input(0)), scope.labelsOf(node.input(1))];
  const [left, right] = [node.constantInput(0), node.constantInput(1)];
  if (right !== undefined) {
    if (!isWeight(node, 1) || right.dims.length !== 2) return scope.block(node, 'its weights are no float32 matrix');
    const inner = a?.at(-1);
    const rank = a?.length ?? node.input(0)?.rank;
    if (inner !== undefined) scope.use(node, 1, 0, inner, 'sink');
    if (rank === undefined || rank < 2) return a === undefined ? undefined : scope.block(node, 'its rank is not known');
    const outer: Labels = a?.slice(0, -1) ?? new Array(rank - 1).fill(undefined);
    return scope.setLabels(node.output(), [...outer, source(node, 1, 1, scope)]);
  }
  if (left !== undefined) {
    if (!isWeight(node, 0) || left.dims.length !== 2) return scope.block(node, 'its weights are no float32 matrix');
    const rank = b?.length ?? node.input(1)?.rank;
    if (rank === undefined || rank < 2) return b === undefined ? undefined : scope.block(node, 'its rank is not known');
    const inner = b?.at(-2);
    if (inner !== undefined) scope.use(node, 0, 1, inner, 'sink');
    const outer: Labels = b?.slice(0, -2) ?? new Array(rank - 2).fill(undefined);
    return scope.setLabels(node.output(), [...outer, source(node, 0, 0, scope), b?.at(-1)]);
  }
  if (a === undefined && b === undefined) return;
  const [rankA, rankB] = [a?.length ?? node.input(0)?.rank, b?.length ?? node.input(1)?.rank];
  if (rankA === undefined || rankB !== rankA || rankA < 2) {
    return scope.block(node, 'two activations of different ranks are multiplied');
  }
  contract(node, a?.at(-1), b?.at(-2), scope);
  const batch = Array.from({ length: rankA - 2 }, (_, axis) => {
    const [x, y] = [a?.[axis], b?.[axis]];
    if (x !== undefined && y !== undefined) {
      joinAll(scope, x, y, `${node.describe()} multiplies axes of different sizes`);
    } else {
      const ids = x ?? y;
      if (ids !== undefined) scope.units.block(ids, `${node.describe()} multiplies it with what is not pruned`);
    }
    return x ?? y;
  });
  scope.setLabels(node.output(), [...batch, a?.at(-2), b?.at(-1)]);
};

export const LINEAR_RULES: Readonly<Record<string, Rule>> = {
  Conv: convolution,
  ConvTranspose: convolution,
  Gemm: gemm,
  MatMul: matMul,
};
