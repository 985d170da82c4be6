/** Pictures cropped or padded to the shape of another: Keras's Resizing and CenterCrop, with the float32 arithmetic of its backend. */
import type { Value } from '../ir/value.js';
import { binary } from './elementwise.js';
import { type GraphBuilder, typeOf } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { crop, pad } from './padding.js';
import { gather, shapeVector } from './rearrange.js';
import { requiredSize, shapeOf, shapeText, staticSize } from './shape.js';

type Pair = readonly [number, number];

/**
 * The largest part in the middle that has the target's aspect ratio.
 * @param axes of rows and columns
 * @throws LoweringError SIZE_UNKNOWN, PICTURE_SIZE
 */
export function cropToAspectRatio(builder: GraphBuilder, x: Value, axes: Pair, target: Pair): Value {
  const sizes = fixedSizes(x, axes, target, 'Cropping to an aspect ratio');
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
 * @throws LoweringError SIZE_UNKNOWN, PICTURE_SIZE
 */
export function padToAspectRatio(builder: GraphBuilder, x: Value, axes: Pair, target: Pair, value: number): Value {
  const sizes = fixedSizes(x, axes, target, 'Padding to an aspect ratio');
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

/** The middle, from ⌊(size - target) / 2⌋. @throws LoweringError PICTURE_SIZE */
export function centerCrop(builder: GraphBuilder, x: Value, axes: Pair, target: Pair): Value {
  const sizes = axes.map((axis) => staticSize(x, axis));
  const [rows, columns] = sizes;
  if (rows === undefined || columns === undefined) return openCenterCrop(builder, x, axes, target);
  checkTarget(x, target);
  const widths = emptyWidths(x);
  for (const [index, axis] of axes.entries()) {
    const rest = (sizes[index] ?? 0) - (target[index] ?? 0);
    widths[axis] = [Math.floor(rest / 2), Math.ceil(rest / 2)];
  }
  return crop(builder, x, widths);
}

function openCenterCrop(builder: GraphBuilder, x: Value, axes: Pair, target: Pair): Value {
  checkTarget(x, target);
  const sizes = gather(builder, shapeVector(builder, x), builder.int64(axes), 0);
  const wanted = builder.int64(target);
  const starts = binary(builder, 'Div', binary(builder, 'Sub', sizes, wanted), builder.int64([2]));
  const ends = binary(builder, 'Add', starts, wanted);
  const { elementType, shape } = typeOf(x);
  const type = { elementType, shape: shape.map((size, axis) => target[axes.indexOf(axis)] ?? size) };
  return builder.node('Slice', [x, starts, ends, builder.int64(axes)], type);
}

function emptyWidths(x: Value): [number, number][] {
  return shapeOf(x).map((): [number, number] => [0, 0]);
}

function fixedSizes(x: Value, axes: Pair, target: Pair, what: string): Pair {
  checkTarget(x, target);
  return [requiredSize(x, axes[0], what), requiredSize(x, axes[1], what)];
}

function checkTarget(x: Value, target: Pair): void {
  if (shapeOf(x).length === 4 && target.every((size) => Number.isSafeInteger(size) && size >= 1)) return;
  throw new LoweringError({
    code: 'PICTURE_SIZE',
    message: `[${shapeText(shapeOf(x))}] should become pictures of ${target.join(' × ')}.`,
    advice: 'Pictures are [N, rows, columns, channels]; both sizes are whole numbers of at least 1.',
  });
}
