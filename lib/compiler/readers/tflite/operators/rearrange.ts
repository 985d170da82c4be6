/** The same elements in another shape or order. */
import { Tensor } from '../../../ir/tensor.js';
import type { Value } from '../../../ir/value.js';
import { batchToSpace, depthToSpace, spaceToBatch, spaceToDepth } from '../../../lowering/blocks.js';
import { expandBy, fill, reshapeBy, tileBy } from '../../../lowering/computed-shape.js';
import { cast } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { knownNumbers } from '../../../lowering/known-elements.js';
import { type PadOptions, pad, padByVector } from '../../../lowering/padding.js';
import {
  concat,
  reshape,
  shapeVector,
  slice,
  split,
  squeeze,
  transpose,
  unsqueeze,
} from '../../../lowering/rearrange.js';
import { range } from '../../../lowering/select.js';
import { normalizedAxis, rankOf, requiredSize, shapeOf } from '../../../lowering/shape.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, moving, movingBytes, type OperatorTable } from '../operator-table.js';

export const rearrange: OperatorTable = {
  BATCH_TO_SPACE_ND: moving((call) => {
    const blocks = call.requiredNumbers(1, 'the sizes of its blocks');
    return batchToSpace(call.builder, call.input(0), blocks, pairs(call.requiredNumbers(2, 'what it crops')));
  }),
  BROADCAST_TO: moving((call) => expandBy(call.builder, call.input(0), call.integers(1))),
  CONCATENATION: moving((call) => {
    const { axis, activation } = call.options('ConcatenationOptions');
    return call.activated(concat(call.builder, call.inputs(), axis), activation);
  }),
  DEPTH_TO_SPACE: computing((call) => {
    return depthToSpace(call.builder, call.input(0), call.options('DepthToSpaceOptions').blockSize);
  }),
  EXPAND_DIMS: moving((call) => unsqueeze(call.builder, call.input(0), call.requiredNumbers(1, 'the new axis'))),
  FILL: computing((call) => fill(call.builder, call.integers(0), call.input(1))),
  MIRROR_PAD: movingBytes((call) => {
    const { mode } = call.options('MirrorPadOptions');
    return padded(call, { mode: mode === 0 ? 'reflect' : 'symmetric' });
  }),
  PACK: moving((call) => {
    const { axis } = call.options('PackOptions');
    const values = call.inputs();
    return concat(
      call.builder,
      values.map((value) => unsqueeze(call.builder, value, [axis])),
      values[0] === undefined ? 0 : normalizedAxis(axis, rankOf(values[0]) + 1),
    );
  }),
  PAD: movingBytes((call) => padded(call, { value: storedZero(call) })),
  PADV2: movingBytes((call) => padded(call, { value: call.input(2) })),
  RANGE: computing((call) => range(call.builder, call.input(0), call.input(1), call.input(2))),
  RANK: computing((call) => call.builder.constant(Tensor.scalar('int32', rankOf(call.input(0))))),
  RESHAPE: moving(reshaped),
  REVERSE_V2: moving((call) => {
    const axes = call.requiredNumbers(1, 'the axes that it reverses');
    const ranges = axes.map((axis) => ({ axis, start: -1, step: -1 }));
    return slice(call.builder, call.input(0), ranges);
  }),
  SHAPE: computing((call) => shapeVector(call.builder, call.input(0))),
  /** What is padded is zero, whatever stands for that. */
  SPACE_TO_BATCH_ND: computing((call) => {
    const blocks = call.requiredNumbers(1, 'the sizes of its blocks');
    return spaceToBatch(call.builder, call.input(0), blocks, pairs(call.requiredNumbers(2, 'what it pads')));
  }),
  SPACE_TO_DEPTH: computing((call) => {
    return spaceToDepth(call.builder, call.input(0), call.options('SpaceToDepthOptions').blockSize);
  }),
  SPLIT: moving((call) => {
    const [axis = 0] = call.requiredNumbers(0, 'the axis that it splits');
    const { outputCount: count } = call;
    const x = call.input(1);
    const size = requiredSize(x, axis, call.place);
    if (count === 0 || size % count !== 0) throw call.error('SHAPE_MISMATCH', `splits ${size} elements into ${count}`);
    return split(call.builder, x, axis, new Array<number>(count).fill(size / count));
  }),
  SPLIT_V: moving((call) => {
    const [axis = 0] = call.requiredNumbers(2, 'the axis that it splits');
    const x = call.input(0);
    return split(call.builder, x, axis, completed(call, x, axis, call.requiredNumbers(1, 'the sizes of its parts')));
  }),
  SQUEEZE: moving((call) => {
    const { dimensions } = call.options('SqueezeOptions');
    const x = call.input(0);
    const ones = shapeOf(x).flatMap((size, axis) => (size === 1 ? [axis] : []));
    return squeeze(call.builder, x, dimensions.length === 0 ? ones : dimensions);
  }),
  TILE: movingBytes((call) => tileBy(call.builder, call.input(0), call.integers(1))),
  TRANSPOSE: moving((call) => {
    const permutation = call.requiredNumbers(1, 'the order of dimensions');
    const x = call.input(0);
    const axes = permutation.map((axis) => normalizedAxis(axis, rankOf(x)));
    if (new Set(axes).size !== rankOf(x) || axes.length !== rankOf(x)) {
      throw call.error('SHAPE_MISMATCH', `orders ${rankOf(x)} dimensions as [${permutation.join(', ')}]`);
    }
    return transpose(call.builder, x, axes);
  }),
  UNPACK: moving((call) => {
    const { axis } = call.options('UnpackOptions');
    const x = call.input(0);
    const ones = new Array<number>(requiredSize(x, axis, call.place)).fill(1);
    if (ones.length !== call.outputCount) throw call.error('SHAPE_MISMATCH', `unpacks ${ones.length} elements`);
    return split(call.builder, x, axis, ones).map((part) => squeeze(call.builder, part, [axis]));
  }),
  ZEROS_LIKE: computing((call) => {
    const x = call.input(0);
    return fill(call.builder, shapeVector(call.builder, x), call.builder.scalar(0, elementTypeOf(x)));
  }),
};

/** The new shape is an input, an option of old files, or what the output is declared to have. */
function reshaped(call: OperatorCall): Value {
  const x = call.input(0);
  const { newShape } = call.options('ReshapeOptions');
  const sizes = call.hasInput(1) ? knownNumbers(call.integers(1)) : newShape;
  if (sizes !== undefined) return reshape(call.builder, x, sizes);
  // A shape that the graph computes is nearly always for an open batch, and the converter knew the rest.
  const declared = call.declaredShape().map((size) => size ?? -1);
  if (declared.filter((size) => size === -1).length <= 1) return reshape(call.builder, x, declared);
  return reshapeBy(call.builder, x, call.integers(1));
}

function padded(call: OperatorCall, options: PadOptions): Value {
  const x = call.input(0);
  const widths = call.constantNumbers(1);
  if (widths !== undefined) return pad(call.builder, x, pairs(widths), options);
  const columns = transpose(call.builder, cast(call.builder, call.integers(1), 'int64'), [1, 0]);
  return padByVector(call.builder, x, reshape(call.builder, columns, [rankOf(x) * 2]), options);
}

/** What stands for zero in the tensor that is padded. */
function storedZero(call: OperatorCall): number {
  return call.movesStored ? (call.inputTensor(0).quantization?.zeroPoints[0] ?? 0) : 0;
}

function pairs(numbers: readonly number[]): readonly (readonly [number, number])[] {
  return Array.from({ length: numbers.length / 2 }, (_, index) => [
    numbers[2 * index] ?? 0,
    numbers[2 * index + 1] ?? 0,
  ]);
}

/** One part of size -1 takes what the others leave. */
function completed(call: OperatorCall, x: Value, axis: number, sizes: readonly number[]): number[] {
  const rest = sizes.reduce((sum, size) => (size === -1 ? sum : sum + size), 0);
  if (!sizes.includes(-1)) return [...sizes];
  const left = requiredSize(x, axis, call.place) - rest;
  return sizes.map((size) => (size === -1 ? left : size));
}
