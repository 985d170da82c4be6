/** Windows that slide over spatial dimensions: how convolutions and pools treat the border, and what sizes come out. */
import { type Attribute, attribute } from '../ir/attribute.js';
import type { Dimension, Value } from '../ir/value.js';
import { binary, variadic } from './elementwise.js';
import type { GraphBuilder } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { concat, shapeVector, slice, toChannelsFirst, toChannelsLast } from './rearrange.js';
import { type Shape, shapeOf, shapeText } from './shape.js';

/** Keras's words: [N, …, C] or [N, C, …]. */
export type DataFormat = 'channels_last' | 'channels_first';

/**
 * At the border:
 * - `valid`: no window reaches beyond it;
 * - `same`: ⌈size / stride⌉ windows, with as much padding as that takes, the odd element after: TensorFlow's SAME, which depends on the size;
 * - `causal`: all padding before, so that no window reads what comes later;
 * - for each spatial dimension, elements before and after.
 */
export type Padding = 'valid' | 'same' | 'causal' | readonly (readonly [before: number, after: number])[];

export interface WindowOptions {
  /** One for each spatial dimension; default 1. */
  readonly strides?: readonly number[];
  /** Distance of the elements that a window reads, for each spatial dimension; default 1. */
  readonly dilations?: readonly number[];
  /** Default `valid`. */
  readonly padding?: Padding;
}

export interface SlidingWindow {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding;
  /** From a window's first element to its last. */
  readonly extents: readonly number[];
}

/** @throws LoweringError WINDOW_OPTIONS where a number is none that a window can have */
export function slidingWindow(sizes: readonly number[], options: WindowOptions): SlidingWindow {
  const { strides = sizes.map(() => 1), dilations = sizes.map(() => 1), padding = 'valid' } = options;
  const positive = (numbers: readonly number[]) =>
    numbers.length === sizes.length && numbers.every((number) => Number.isSafeInteger(number) && number >= 1);
  const explicit = typeof padding === 'string' ? [] : padding;
  const fits =
    [sizes, strides, dilations].every(positive) &&
    explicit.flat().every((number) => Number.isSafeInteger(number) && number >= 0) &&
    (typeof padding === 'string' || padding.length === sizes.length);
  if (!fits || sizes.length === 0) {
    const all = `size [${sizes}], strides [${strides}], dilations [${dilations}], padding ${JSON.stringify(padding)}`;
    throw new LoweringError({
      code: 'WINDOW_OPTIONS',
      message: `No window has ${all}.`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  const extents = sizes.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1);
  return { sizes, strides, dilations, padding, extents };
}

/** How many windows there are along each spatial dimension of the given sizes. @throws LoweringError WINDOW_TOO_LARGE where none fits */
export function windowCounts(window: SlidingWindow, spatial: Shape): Dimension[] {
  return spatial.map((size, axis) => {
    const [stride = 1, extent = 1] = [window.strides[axis], window.extents[axis]];
    if (window.padding === 'same') {
      if (typeof size !== 'number') return stride === 1 ? size : undefined;
      return Math.ceil(size / stride);
    }
    const padding = staticPadding(window, axis, size);
    if (typeof size !== 'number') return stride === 1 && padding === extent - 1 ? size : undefined;
    const count = Math.floor((size + padding - extent) / stride) + 1;
    if (count > 0) return count;
    throw new LoweringError({
      code: 'WINDOW_TOO_LARGE',
      message: `A window of ${window.extents.join(' × ')} does not fit into [${shapeText(spatial)}].`,
      advice: 'Export the model with an input size that is large enough for it.',
    });
  });
}

function staticPadding(window: SlidingWindow, axis: number, size: Dimension): number {
  const [before, after] = axisPadding(window, axis, size) ?? [0, 0];
  return before + after;
}

/** Elements before and after, or undefined where they depend on a size that is open. */
function axisPadding(window: SlidingWindow, axis: number, size: Dimension): readonly [number, number] | undefined {
  const { padding } = window;
  const [stride = 1, extent = 1] = [window.strides[axis], window.extents[axis]];
  if (typeof padding !== 'string') return padding[axis];
  if (padding === 'valid') return [0, 0];
  if (padding === 'causal') return [extent - 1, 0];
  // What is missing does not depend on the size where windows start everywhere, and nothing is where they are one element wide.
  if (typeof size !== 'number' && stride > 1 && extent > 1) return undefined;
  const total =
    typeof size === 'number'
      ? Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size)
      : stride === 1
        ? extent - 1
        : 0;
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Elements before and after each spatial dimension; undefined where they depend on a size that is open. */
export function staticPads(window: SlidingWindow, spatial: Shape): (readonly [number, number])[] | undefined {
  const pads = spatial.map((size, axis) => axisPadding(window, axis, size));
  return pads.every((pad) => pad !== undefined) ? (pads as (readonly [number, number])[]) : undefined;
}

/**
 * Whether onnxruntime's `auto_pad` computes this SAME when the model runs: it refuses dilations, and where strides leave elements between
 * windows it pads by a negative number, which its average pools refuse and others take for a shift.
 */
export function hasAutomaticPads(window: SlidingWindow): boolean {
  return (
    window.dilations.every((dilation) => dilation === 1) &&
    window.extents.every((extent, axis) => extent === 1 || extent >= (window.strides[axis] ?? 1))
  );
}

/** kernel_shape, strides, dilations and pads or auto_pad, of Conv and the pools. @param pads undefined for `auto_pad` */
export function windowAttributes(
  window: SlidingWindow,
  pads: readonly (readonly [number, number])[] | undefined,
): Record<string, Attribute> {
  const attributes: Record<string, Attribute> = {
    kernel_shape: attribute.ints(window.sizes),
    strides: attribute.ints(window.strides),
  };
  if (window.dilations.some((dilation) => dilation !== 1)) attributes.dilations = attribute.ints(window.dilations);
  if (pads === undefined) attributes.auto_pad = attribute.string('SAME_UPPER');
  else attributes.pads = attribute.ints([...pads.map(([before]) => before), ...pads.map(([, after]) => after)]);
  return attributes;
}

/**
 * The pads that `same` needs, computed when the model runs, as ONNX's Pad takes them: for `x` [N, C, …].
 * TensorFlow: total = max((⌈size / stride⌉ - 1) · stride + extent - size, 0), of which ⌊total / 2⌋ before.
 */
export function computedSamePads(builder: GraphBuilder, x: Value, window: SlidingWindow): Value {
  const sizes = slice(builder, shapeVector(builder, x), [{ axis: 0, start: 2 }]);
  const strides = builder.int64(window.strides);
  const counts = binary(
    builder,
    'Div',
    binary(builder, 'Add', sizes, builder.int64(window.strides.map((stride) => stride - 1))),
    strides,
  );
  // (counts - 1) · strides + extents
  const reach = binary(
    builder,
    'Add',
    binary(builder, 'Mul', counts, strides),
    builder.int64(window.extents.map((extent, axis) => extent - (window.strides[axis] ?? 1))),
  );
  const total = variadic(builder, 'Max', [binary(builder, 'Sub', reach, sizes), builder.int64([0])]);
  const before = binary(builder, 'Div', total, builder.int64([2]));
  const after = binary(builder, 'Sub', total, before);
  const none = builder.int64([0, 0]);
  return concat(builder, [none, before, none, after], 0);
}

/** Writes channels-first what is given and wanted in `dataFormat`. */
export function inChannelsFirst(
  builder: GraphBuilder,
  x: Value,
  dataFormat: DataFormat | undefined,
  write: (x: Value) => Value,
): Value {
  if (dataFormat === 'channels_first') return write(x);
  return toChannelsLast(builder, write(toChannelsFirst(builder, x)));
}

/** The spatial sizes of `x` [N, C, …]. */
export function spatialShape(x: Value): Shape {
  return shapeOf(x).slice(2);
}
