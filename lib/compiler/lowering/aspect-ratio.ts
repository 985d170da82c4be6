/** Pictures cropped or padded to the shape of another: Keras's Resizing and CenterCrop, with the float32 arithmetic of its backend. */
import type { Dimension, Value } from '../ir/value.js';
import { binary, cast, variadic } from './elementwise.js';
import { type GraphBuilder, typeOf } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { crop, pad, padByVector } from './padding.js';
import { concat, gather, shapeVector } from './rearrange.js';
import { rankOf, shapeOf, shapeText, staticSize } from './shape.js';

type Pair = readonly [number, number];

/**
 * The largest part in the middle that has the target's aspect ratio.
 * @param axes of rows and columns, one after the other
 * @throws LoweringError PICTURE_SIZE
 */
export function cropToAspectRatio(builder: GraphBuilder, x: Value, axes: Pair, target: Pair): Value {
  checkTarget(x, target);
  const sizes = knownSizes(x, axes);
  if (sizes === undefined) {
    const open = openSizes(builder, x, axes);
    const fitting = openFitting(builder, x, axes, target);
    const kept = variadic(builder, 'Max', [variadic(builder, 'Min', [open, fitting]), builder.int64([1])]);
    const starts = binary(builder, 'Div', binary(builder, 'Sub', open, kept), builder.int64([2]));
    return sliceBetween(builder, x, axes, starts, binary(builder, 'Add', starts, kept), [undefined, undefined]);
  }
  const widths = emptyWidths(x);
  for (const [index, axis] of axes.entries()) {
    const size = sizes[index] ?? 1;
    const kept = Math.max(1, Math.min(size, fitting(sizes, target, index)));
    const before = Math.trunc((size - kept) / 2);
    widths[axis] = [before, size - kept - before];
  }
  return crop(builder, x, widths);
}

/**
 * As much on both sides as brings it to the target's aspect ratio, to an element.
 * @param axes of rows and columns, one after the other
 * @throws LoweringError PICTURE_SIZE
 */
export function padToAspectRatio(builder: GraphBuilder, x: Value, axes: Pair, target: Pair, value: number): Value {
  checkTarget(x, target);
  const sizes = knownSizes(x, axes);
  if (sizes === undefined) {
    const open = openSizes(builder, x, axes);
    const padded = variadic(builder, 'Max', [open, openFitting(builder, x, axes, target)]);
    const beside = binary(builder, 'Div', binary(builder, 'Sub', padded, open), builder.int64([2]));
    const none = (count: number) => (count > 0 ? [builder.int64(new Array<number>(count).fill(0))] : []);
    const side = [...none(axes[0]), beside, ...none(rankOf(x) - 1 - axes[1])];
    const result = shapeOf(x).map((size, axis) => (axes.includes(axis) ? undefined : size));
    return padByVector(builder, x, concat(builder, [...side, ...side], 0), { value }, result);
  }
  const widths = emptyWidths(x);
  for (const [index, axis] of axes.entries()) {
    const size = sizes[index] ?? 1;
    const beside = Math.trunc((Math.max(size, fitting(sizes, target, index)) - size) / 2);
    widths[axis] = [beside, beside];
  }
  return pad(builder, x, widths, { value });
}

/** The size along rows (0) or columns (1) that has the target's aspect ratio with what there is along the other. */
function fitting(sizes: Pair, target: Pair, index: number): number {
  const [other, own, across] = [sizes[1 - index] ?? 1, target[index] ?? 1, target[1 - index] ?? 1];
  return Math.trunc(Math.fround(Math.fround(other * own) / across));
}

/** Both such sizes, where they are open: int64 [2]. */
function openFitting(builder: GraphBuilder, x: Value, [rows, columns]: Pair, [height, width]: Pair): Value {
  const others = openSizes(builder, x, [columns, rows]);
  const products = cast(builder, binary(builder, 'Mul', others, builder.int64([height, width])), 'float32');
  return cast(builder, binary(builder, 'Div', products, builder.floats([width, height])), 'int64');
}

function openSizes(builder: GraphBuilder, x: Value, axes: Pair): Value {
  return gather(builder, shapeVector(builder, x), builder.int64(axes), 0);
}

function knownSizes(x: Value, axes: Pair): Pair | undefined {
  const [rows, columns] = axes.map((axis) => staticSize(x, axis));
  return rows === undefined || columns === undefined ? undefined : [rows, columns];
}

/**
 * The middle, from ⌊(size - target) / 2⌋.
 * @param axes of rows and columns, one after the other
 * @throws LoweringError PICTURE_SIZE, and CROP_WIDTHS where the picture is smaller
 */
export function centerCrop(builder: GraphBuilder, x: Value, axes: Pair, target: Pair): Value {
  checkTarget(x, target);
  const sizes = knownSizes(x, axes);
  if (sizes === undefined) {
    const wanted = builder.int64(target);
    const rest = binary(builder, 'Sub', openSizes(builder, x, axes), wanted);
    const starts = binary(builder, 'Div', rest, builder.int64([2]));
    return sliceBetween(builder, x, axes, starts, binary(builder, 'Add', starts, wanted), target);
  }
  const widths = emptyWidths(x);
  for (const [index, axis] of axes.entries()) {
    const rest = (sizes[index] ?? 0) - (target[index] ?? 0);
    widths[axis] = [Math.floor(rest / 2), Math.ceil(rest / 2)];
  }
  return crop(builder, x, widths);
}

function sliceBetween(
  builder: GraphBuilder,
  x: Value,
  axes: Pair,
  starts: Value,
  ends: Value,
  result: readonly Dimension[],
): Value {
  const { elementType, shape } = typeOf(x);
  const type = {
    elementType,
    shape: shape.map((size, axis) => (axes.includes(axis) ? result[axes.indexOf(axis)] : size)),
  };
  return builder.node('Slice', [x, starts, ends, builder.int64(axes)], type);
}

function emptyWidths(x: Value): [number, number][] {
  return shapeOf(x).map((): [number, number] => [0, 0]);
}

function checkTarget(x: Value, target: Pair): void {
  if (shapeOf(x).length === 4 && target.every((size) => Number.isSafeInteger(size) && size >= 1)) return;
  throw new LoweringError({
    code: 'PICTURE_SIZE',
    message: `[${shapeText(shapeOf(x))}] should become pictures of ${target.join(' × ')}.`,
    advice: 'Pictures are [N, rows, columns, channels]; both sizes are whole numbers of at least 1.',
  });
}
