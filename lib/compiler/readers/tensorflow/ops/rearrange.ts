/** The same elements in another order, joined and cut. */

import { attribute } from '../../../ir/attribute.js';
import { Tensor } from '../../../ir/tensor.js';
import type { Value } from '../../../ir/value.js';
import { cast } from '../../../lowering/elementwise.js';
import { type GraphBuilder, typeOf } from '../../../lowering/graph-builder.js';
import { concat, slice, split, squeeze, transpose, unsqueeze } from '../../../lowering/rearrange.js';
import { normalizedAxis, rankOf, requiredSize, shapeOf } from '../../../lowering/shape.js';
import { sliceSizes, stridedSlice } from '../../../lowering/slice.js';
import type { OpCall, OpTable } from '../op-call.js';
import { allPerPart } from './per-part.js';

export const REARRANGE_OPS: OpTable = allPerPart({
  /** The axis comes first. */
  Concat: (call) => concat(call.builder, call.inputs.slice(1), call.number(0, 'axis')),
  ConcatV2: (call) => {
    const values = call.inputs.slice(0, -1);
    return concat(call.builder, values, call.number(-1, 'axis'));
  },
  InvertPermutation: (call) => {
    const permutation = call.numbers(0, 'permutation');
    const inverse = permutation.map((_, index) => permutation.indexOf(index));
    return call.builder.constant(Tensor.fromNumbers(call.input(0).elementType ?? 'int32', [inverse.length], inverse));
  },
  Pack: (call) => {
    const rank = rankOf(call.input(0)) + 1;
    const axis = normalizedAxis(call.attributes.int('axis', 0), rank);
    return concat(
      call.builder,
      call.inputs.map((value) => unsqueeze(call.builder, value, [axis])),
      axis,
    );
  },
  /** The first elements of each sequence, as many as its length says, from the last to the first. */
  ReverseSequence: (call) => {
    const x = call.input(0);
    const [time, batch] = [call.attributes.int('seq_dim'), call.attributes.int('batch_dim', 0)];
    const rest = Array.from({ length: rankOf(x) }, (_, axis) => axis).filter((axis) => axis !== time && axis !== batch);
    const order = [normalizedAxis(batch, rankOf(x)), normalizedAxis(time, rankOf(x)), ...rest];
    const moved = transpose(call.builder, x, order);
    const attributes = { batch_axis: attribute.int(0), time_axis: attribute.int(1) };
    const lengths = cast(call.builder, call.input(1), 'int64');
    const reversed = call.builder.node('ReverseSequence', [moved, lengths], typeOf(moved), { attributes });
    return transpose(
      call.builder,
      reversed,
      order.map((_, axis) => order.indexOf(axis)),
    );
  },
  /** Along each of the axes, from the end. */
  ReverseV2: (call) => {
    const x = call.input(0);
    const axes = call.numbers(1, 'axes').map((axis) => normalizedAxis(axis, rankOf(x)));
    return axes.length === 0
      ? x
      : slice(
          call.builder,
          x,
          axes.map((axis) => ({ axis, start: -1, step: -1 })),
        );
  },
  Roll: (call) => rolled(call),
  Slice: (call) => sliceSizes(call.builder, call.input(0), call.input(1), call.input(2)),
  /** Into equal parts; the axis comes first. */
  Split: (call) => {
    const [axis, x, count] = [call.number(0, 'axis'), call.input(1), call.attributes.int('num_split')];
    const size = requiredSize(x, axis, call.describe());
    if (count < 1 || size % count !== 0)
      throw call.refuse('OP_VALUES', `cuts ${size} elements into ${count} parts`, 'Export the model again.');
    return split(call.builder, x, axis, new Array<number>(count).fill(size / count));
  },
  /** Into parts of given sizes, of which one may be -1: what is left. */
  SplitV: (call) => {
    const [x, sizes, axis] = [call.input(0), call.numbers(1, 'sizes'), call.number(2, 'axis')];
    const given = sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
    const rest = sizes.includes(-1) ? requiredSize(x, axis, call.describe()) - given : 0;
    return split(
      call.builder,
      x,
      axis,
      sizes.map((size) => (size === -1 ? rest : size)),
    );
  },
  StridedSlice: (call) => {
    const mask = (name: string) => call.attributes.int(`${name}_mask`, 0);
    return stridedSlice(call.builder, call.input(0), call.input(1), call.input(2), call.input(3), {
      begin: mask('begin'),
      end: mask('end'),
      ellipsis: mask('ellipsis'),
      newAxis: mask('new_axis'),
      shrinkAxis: mask('shrink_axis'),
    });
  },
  Transpose: (call) => {
    const x = call.input(0);
    const permutation = call.numbers(1, 'permutation');
    const sorted = [...permutation].sort((a, b) => a - b);
    if (permutation.length !== rankOf(x) || sorted.some((axis, index) => axis !== index)) {
      throw call.refuse('OP_VALUES', `orders ${rankOf(x)} dimensions as [${permutation}]`, 'Export the model again.');
    }
    return transpose(call.builder, x, permutation);
  },
  Unpack: (call) => unpacked(call),
});

function unpacked(call: OpCall): Value[] {
  const x = call.input(0);
  const axis = normalizedAxis(call.attributes.int('axis', 0), rankOf(x));
  const count = call.attributes.int('num');
  const size = shapeOf(x)[axis];
  if (count < 1 || count > 2 ** 16 || (typeof size === 'number' && size !== count)) {
    throw call.refuse('OP_VALUES', `unpacks ${size} elements into ${count}`, 'Export the model again.');
  }
  const parts = split(call.builder, x, axis, new Array<number>(count).fill(1));
  return parts.map((part) => squeeze(call.builder, part, [axis]));
}

/** Elements pushed out at one end come in at the other: shifts along axes, in turn. */
function rolled(call: OpCall): Value {
  const [shifts, axes] = [call.numbers(1, 'shift'), call.numbers(2, 'axis')];
  let result = call.input(0);
  for (const [index, axis] of axes.entries()) {
    const size = requiredSize(result, axis, call.describe());
    const shift = size === 0 ? 0 : (((shifts[index] ?? 0) % size) + size) % size;
    if (shift !== 0) result = swapped(call.builder, result, axis, size - shift);
  }
  return result;
}

function swapped(builder: GraphBuilder, x: Value, axis: number, at: number): Value {
  const size = typeOf(x).shape[axis < 0 ? axis + rankOf(x) : axis];
  const [head, tail] = split(builder, x, axis, [at, Number(size) - at]);
  return head === undefined || tail === undefined ? x : concat(builder, [tail, head], axis);
}
