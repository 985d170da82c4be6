/** Operators that give the same elements another shape. */
import { type Evaluator, frontAxis, NotEvaluated, required } from './evaluator.js';
import { integers, listOf } from './integers.js';
import { withDims } from './units.js';

const product = (dims: readonly number[]) => dims.reduce((count, dim) => count * dim, 1);

export const identity: Evaluator = (_, inputs) => {
  const tensor = required(inputs, 0);
  return [withDims(tensor, tensor.dims)];
};

export const reshape: Evaluator = (node, inputs) => {
  const tensor = required(inputs, 0);
  const wanted = integers(required(inputs, 1));
  const copiesZero = node.int('allowzero', 0) === 0;
  const dims = wanted.map((size, axis) => {
    if (size !== 0 || !copiesZero) return size;
    const copied = tensor.dims[axis];
    if (copied === undefined) throw new NotEvaluated(`there is no dimension ${axis} to copy`);
    return copied;
  });
  const open = dims.indexOf(-1);
  if (open >= 0) {
    const rest = product(dims.filter((_, axis) => axis !== open));
    if (rest <= 0) throw new NotEvaluated('a size of -1 beside 0 follows from nothing');
    dims[open] = tensor.count / rest;
  }
  return [reshaped(tensor, dims)];
};

function reshaped(tensor: Parameters<typeof withDims>[0], dims: readonly number[]) {
  if (dims.some((dim) => dim < 0 || !Number.isInteger(dim)) || product(dims) !== tensor.count) {
    throw new NotEvaluated(`${tensor.count} elements do not fit [${dims}]`);
  }
  return withDims(tensor, dims);
}

export const flatten: Evaluator = (node, inputs, context) => {
  const tensor = required(inputs, 0);
  const { length } = tensor.dims;
  const axis = node.int('axis', 1);
  const front = axis < 0 ? axis + length : axis;
  if (front < 0 || front > length || (axis < 0 && context.opset < 11))
    throw new NotEvaluated(`axis ${axis} of ${length}`);
  return [withDims(tensor, [product(tensor.dims.slice(0, front)), product(tensor.dims.slice(front))])];
};

export const squeeze: Evaluator = (node, inputs) => {
  const tensor = required(inputs, 0);
  const axes = listOf(node, inputs, 'axes', 1)?.map((axis) => frontAxis(axis, tensor.dims.length));
  if (axes?.some((axis) => tensor.dims[axis] !== 1))
    throw new NotEvaluated(`axes [${axes}] of [${tensor.dims}] are not all 1`);
  return [
    withDims(
      tensor,
      tensor.dims.filter((size, axis) => (axes === undefined ? size !== 1 : !axes.includes(axis))),
    ),
  ];
};

export const unsqueeze: Evaluator = (node, inputs) => {
  const tensor = required(inputs, 0);
  const axes = listOf(node, inputs, 'axes', 1);
  if (axes === undefined) throw new NotEvaluated('it names no axes');
  const rank = tensor.dims.length + axes.length;
  const added = new Set(axes.map((axis) => frontAxis(axis, rank)));
  if (added.size !== axes.length) throw new NotEvaluated('an axis is named twice');
  const old = tensor.dims.values();
  return [
    withDims(
      tensor,
      Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (old.next().value ?? 1))),
    ),
  ];
};
