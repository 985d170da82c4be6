/** Operators that pick or place elements by indices. */
import type { Tensor } from '../../ir/tensor.js';
import { admit, type Evaluator, frontAxis, NotEvaluated, required } from './evaluator.js';
import { integers } from './integers.js';
import { moveUnit, stridedIndices, stridesOf, take, tensorOfUnits, unitsOf } from './units.js';

const product = (dims: readonly number[]) => dims.reduce((count, dim) => count * dim, 1);

/** An index counted from the front. */
function frontIndex(index: number, size: number): number {
  const front = index < 0 ? index + size : index;
  if (front < 0 || front >= size) throw new NotEvaluated(`index ${index} of ${size}`);
  return front;
}

export const gather: Evaluator = (node, inputs, context) => {
  const [data, indices] = [required(inputs, 0), required(inputs, 1)];
  const axis = frontAxis(node.int('axis', 0), data.dims.length);
  const size = data.dims[axis] ?? 0;
  const chosen = integers(indices).map((index) => frontIndex(index, size));
  const dims = [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)];
  const count = admit(data.elementType, dims, context);
  const inner = product(data.dims.slice(axis + 1));
  // onnxruntime copies the first string of a block only.
  if (data.elementType === 'string' && inner !== 1) throw new NotEvaluated('it gathers blocks of strings');
  const from = new Uint32Array(count);
  for (let index = 0; index < count; index++) {
    const outer = Math.floor(index / (chosen.length * inner));
    const at = chosen[Math.floor(index / inner) % chosen.length] ?? 0;
    from[index] = (outer * size + at) * inner + (index % inner);
  }
  return [take(data, dims, from)];
};

export const gatherElements: Evaluator = (node, inputs, context) => {
  const [data, indices] = [required(inputs, 0), required(inputs, 1)];
  const axis = frontAxis(node.int('axis', 0), data.dims.length);
  if (indices.dims.length !== data.dims.length) throw new NotEvaluated('its inputs have different ranks');
  if (indices.dims.some((size, index) => index !== axis && size > (data.dims[index] ?? 0)))
    throw new NotEvaluated('its indices do not fit');
  admit(data.elementType, indices.dims, context);
  const strides = stridesOf(data.dims);
  const base = stridedIndices(
    indices.dims,
    strides.map((stride, index) => (index === axis ? 0 : stride)),
  );
  const from = integers(indices).map(
    (index, position) => (base[position] ?? 0) + frontIndex(index, data.dims[axis] ?? 0) * (strides[axis] ?? 1),
  );
  return [take(data, indices.dims, from)];
};

/** Where the blocks start that the last dimension of an int64 tensor points to, and how long a block is. */
function blocks(data: Tensor, indices: Tensor, batch: number): { starts: number[]; length: number; depth: number } {
  const depth = indices.dims.at(-1) ?? 0;
  if (indices.dims.length === 0 || batch + depth > data.dims.length) throw new NotEvaluated('its indices do not fit');
  const pointed = data.dims.slice(batch, batch + depth);
  const length = product(data.dims.slice(batch + depth));
  const strides = stridesOf([...pointed, length]);
  const flat = integers(indices);
  const starts = Array.from({ length: product(indices.dims.slice(0, -1)) }, (_, row) =>
    pointed.reduce(
      (sum, size, axis) => sum + frontIndex(flat[row * depth + axis] ?? 0, size) * (strides[axis] ?? 1),
      0,
    ),
  );
  return { starts, length, depth };
}

export const gatherNd: Evaluator = (node, inputs, context) => {
  const [data, indices] = [required(inputs, 0), required(inputs, 1)];
  if (node.int('batch_dims', 0) !== 0) throw new NotEvaluated('it has batch dimensions');
  const { starts, length, depth } = blocks(data, indices, 0);
  const dims = [...indices.dims.slice(0, -1), ...data.dims.slice(depth)];
  admit(data.elementType, dims, context);
  return [
    take(
      data,
      dims,
      starts.flatMap((start) => Array.from({ length }, (_, index) => start + index)),
    ),
  ];
};

export const scatterNd: Evaluator = (node, inputs, context) => {
  const [data, indices, updates] = [required(inputs, 0), required(inputs, 1), required(inputs, 2)];
  if (node.string('reduction', 'none') !== 'none') throw new NotEvaluated('it reduces');
  const { starts, length, depth } = blocks(data, indices, 0);
  const expected = [...indices.dims.slice(0, -1), ...data.dims.slice(depth)];
  if (updates.elementType !== data.elementType || String(updates.dims) !== String(expected))
    throw new NotEvaluated('its updates do not fit');
  admit(data.elementType, data.dims, context);
  // Two updates of one place may come in any order.
  if (new Set(starts).size !== starts.length) throw new NotEvaluated('it updates a place twice');
  const result = unitsOf(data).slice();
  const units = unitsOf(updates);
  for (const [row, start] of starts.entries()) {
    for (let index = 0; index < length; index++) moveUnit(units, row * length + index, result, start + index);
  }
  return [tensorOfUnits(data.elementType, data.dims, result)];
};
