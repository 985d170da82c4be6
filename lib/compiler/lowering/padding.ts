/** Elements added around a tensor, and taken from its ends. */
import { attribute } from '../ir/attribute.js';
import type { Value } from '../ir/value.js';
import { elementTypeOf, type GraphBuilder, type typeOf } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { concat, slice } from './rearrange.js';
import { rankOf, type Shape, shapeOf, shapeText } from './shape.js';

/** For each dimension, elements before and after. */
export type Widths = readonly (readonly [before: number, after: number])[];

/**
 * - `constant`: a value;
 * - `reflect`: mirrored at the first and last element, which are not repeated: 3 2 | 1 2 3 | 2 1;
 * - `symmetric`: mirrored beside them: 2 1 | 1 2 3 | 3 2;
 * - `edge`: they repeat.
 */
export type PadMode = 'constant' | 'reflect' | 'symmetric' | 'edge';

export interface PadOptions {
  /** Default `constant`. */
  readonly mode?: PadMode;
  /** Default 0. */
  readonly value?: number | Value;
}

/**
 * TensorFlow's Pad, PadV2 and MirrorPad, TFLite's PAD, PADV2 and MIRROR_PAD, Keras's ZeroPadding.
 * @throws LoweringError PAD_WIDTHS where widths are negative, are not one pair for each dimension, or mirror more than there is
 */
export function pad(builder: GraphBuilder, x: Value, widths: Widths, options: PadOptions = {}): Value {
  const { mode = 'constant' } = options;
  checkWidths(x, widths, mode);
  if (widths.every(([before, after]) => before === 0 && after === 0)) return x;
  if (mode === 'symmetric')
    return widths.reduce((padded, width, axis) => mirrorBeside(builder, padded, axis, width), x);
  const shape = shapeOf(x).map((size, axis) => {
    const [before, after] = widths[axis] ?? [0, 0];
    return typeof size === 'number' ? size + before + after : before + after === 0 ? size : undefined;
  });
  const vector = builder.int64([...widths.map(([before]) => before), ...widths.map(([, after]) => after)]);
  return padNode(builder, x, vector, { elementType: elementTypeOf(x), shape }, options);
}

/**
 * Widths that are computed when the model runs.
 * @param vector int64 [2 · rank]: all before, then all after
 * @param result what is known of the result's shape
 */
export function padByVector(
  builder: GraphBuilder,
  x: Value,
  vector: Value,
  options: PadOptions = {},
  result?: Shape,
): Value {
  const known = vector.initializer?.numbers();
  const rank = rankOf(x);
  if (known !== undefined) return pad(builder, x, zip(known.slice(0, rank), known.slice(rank)), options);
  if (options.mode === 'symmetric') {
    throw new LoweringError({
      code: 'PAD_WIDTHS',
      message: 'Symmetric padding by widths that are computed when the model runs is not supported.',
      advice: 'Export the model with constant paddings.',
    });
  }
  // Any dimension may be padded, even the batch.
  const type = { elementType: elementTypeOf(x), shape: result ?? shapeOf(x).map(() => undefined) };
  return padNode(builder, x, vector, type, options);
}

function padNode(
  builder: GraphBuilder,
  x: Value,
  vector: Value,
  type: ReturnType<typeof typeOf>,
  { mode = 'constant', value = 0 }: PadOptions,
): Value {
  const inputs = [x, vector];
  if (typeof value !== 'number') inputs.push(value);
  else if (value !== 0) inputs.push(builder.scalar(value, elementTypeOf(x)));
  const attributes = mode === 'constant' ? {} : { mode: attribute.string(mode) };
  return builder.node('Pad', inputs, type, { attributes });
}

/** ONNX's Pad cannot: the ends, backwards, beside `x`. */
function mirrorBeside(
  builder: GraphBuilder,
  x: Value,
  axis: number,
  [before, after]: readonly [number, number],
): Value {
  const parts = [x];
  if (before > 0) parts.unshift(slice(builder, x, [{ axis, start: before - 1, step: -1 }]));
  if (after > 0) parts.push(slice(builder, x, [{ axis, start: -1, end: -after - 1, step: -1 }]));
  return concat(builder, parts, axis);
}

function checkWidths(x: Value, widths: Widths, mode: PadMode): void {
  const shape = shapeOf(x);
  const numbers = widths.flat();
  const fits =
    widths.length === shape.length &&
    numbers.every((width) => Number.isSafeInteger(width) && width >= 0) &&
    shape.every((size, axis) => {
      const most = Math.max(...(widths[axis] ?? [0]));
      const mirrored = mode === 'reflect' ? Number(size) - 1 : mode === 'symmetric' ? Number(size) : most;
      return typeof size !== 'number' || most <= mirrored;
    });
  if (fits) return;
  const text = widths.map(([before, after]) => `${before}+${after}`).join(', ');
  throw new LoweringError({
    code: 'PAD_WIDTHS',
    message: `[${shapeText(shape)}] cannot be padded by [${text}] (${mode}).`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

/**
 * Without the first and last elements of each dimension: Keras's Cropping.
 * @throws LoweringError CROP_WIDTHS where nothing would be left
 */
export function crop(builder: GraphBuilder, x: Value, widths: Widths): Value {
  const shape = shapeOf(x);
  const fits =
    widths.length === shape.length &&
    widths.flat().every((width) => Number.isSafeInteger(width) && width >= 0) &&
    shape.every((size, axis) => {
      const [before, after] = widths[axis] ?? [0, 0];
      return typeof size !== 'number' || before + after < size || before + after === 0;
    });
  if (!fits) {
    throw new LoweringError({
      code: 'CROP_WIDTHS',
      message: `[${shapeText(shape)}] cannot be cropped by [${widths.map(([before, after]) => `${before}+${after}`).join(', ')}].`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  const ranges = widths.flatMap(([before, after], axis) => {
    if (before === 0 && after === 0) return [];
    return [after === 0 ? { axis, start: before } : { axis, start: before, end: -after }];
  });
  return ranges.length === 0 ? x : slice(builder, x, ranges);
}

function zip(first: readonly number[], second: readonly number[]): [number, number][] {
  return first.map((number, index) => [number, second[index] ?? 0]);
}
