/** Pools of TensorFlow, TFLite and Keras as ONNX's: the largest or the mean of each window, over one to three spatial dimensions. */
import type { Value } from '../ir/value.js';
import { elementTypeOf, type GraphBuilder } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { padByVector } from './padding.js';
import { concat, gather, squeeze, toChannelsFirst } from './rearrange.js';
import { rankOf, requiredSize, shapeOf, shapeText } from './shape.js';
import {
  computedSamePads,
  type DataFormat,
  hasAutomaticPads,
  inChannelsFirst,
  type SlidingWindow,
  slidingWindow,
  spatialShape,
  staticPads,
  type WindowOptions,
  windowAttributes,
  windowCounts,
} from './sliding-window.js';

export type PoolKind = 'max' | 'average';

export interface PoolOptions extends Omit<WindowOptions, 'dilations'> {
  /** Default `channels_last`; the result has the same. */
  readonly dataFormat?: DataFormat;
}

/**
 * @param sizes of the window, one for each spatial dimension
 * @throws LoweringError WINDOW_OPTIONS, WINDOW_TOO_LARGE, SIZE_UNKNOWN for means with `same` on open sizes, where strides leave elements
 * between windows
 */
export function pool(
  builder: GraphBuilder,
  kind: PoolKind,
  x: Value,
  sizes: readonly number[],
  options: PoolOptions = {},
): Value {
  const window = slidingWindow(sizes, options);
  if (
    typeof window.padding !== 'string' &&
    window.padding.some((pair, axis) => Math.max(...pair) >= (sizes[axis] ?? 1))
  ) {
    throw nothingInside(sizes, `with padding ${JSON.stringify(window.padding)}`);
  }
  return inChannelsFirst(builder, x, options.dataFormat, (first) => {
    checkRank(first, sizes.length);
    const spatial = spatialShape(first);
    let [input, pads] = [first, staticPads(window, spatial)];
    if (pads === undefined && !hasAutomaticPads(window)) {
      if (kind !== 'max' || elementTypeOf(x) !== 'float32') throw needsSizes(window);
      const value = Number.NEGATIVE_INFINITY;
      input = padByVector(builder, first, computedSamePads(builder, first, window), { value });
      pads = sizes.map(() => [0, 0]);
    }
    const attributes = windowAttributes(window, pads);
    const [batch, channels] = shapeOf(first);
    const type = { elementType: elementTypeOf(x), shape: [batch, channels, ...windowCounts(window, spatial)] };
    return builder.node(kind === 'max' ? 'MaxPool' : 'AveragePool', [input], type, { attributes });
  });
}

/** No axis of a result is longer; a table is made for each. */
const LONGEST = 2 ** 16;

function nothingInside(sizes: readonly number[], why: string): LoweringError {
  return new LoweringError({
    code: 'WINDOW_OPTIONS',
    message: `A pool of ${sizes.join(' × ')} (${why}) has windows with nothing inside.`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

function needsSizes({ sizes, strides }: SlidingWindow): LoweringError {
  return new LoweringError({
    code: 'SIZE_UNKNOWN',
    message: `A pool of ${sizes.join(' × ')} with strides ${strides.join(' × ')} and padding 'same' needs the input's sizes.`,
    advice: 'Export the model with fixed sizes there.',
  });
}

export interface GlobalPoolOptions {
  readonly dataFormat?: DataFormat;
  /** Whether the spatial dimensions stay, with size 1. Default false. */
  readonly keepDims?: boolean;
}

/** The largest or the mean of each channel: [N, C], or [N, 1, …, C] with `keepDims`. */
export function globalPool(builder: GraphBuilder, kind: PoolKind, x: Value, options: GlobalPoolOptions = {}): Value {
  const rank = rankOf(x);
  checkRank(x, rank - 2);
  const pooled = (first: Value) => {
    const [batch, channels, ...spatial] = shapeOf(first);
    const type = { elementType: elementTypeOf(x), shape: [batch, channels, ...spatial.map(() => 1)] };
    return builder.node(kind === 'max' ? 'GlobalMaxPool' : 'GlobalAveragePool', [first], type);
  };
  if (options.keepDims === true) return inChannelsFirst(builder, x, options.dataFormat, pooled);
  const first = options.dataFormat === 'channels_first' ? x : toChannelsFirst(builder, x);
  const spatialAxes = Array.from({ length: rank - 2 }, (_, axis) => axis + 2);
  return squeeze(builder, pooled(first), spatialAxes);
}

/**
 * Keras's AdaptivePooling (and PyTorch's): along each spatial dimension, result i is of the elements from ⌊i · size / result⌋ to
 * ⌈(i + 1) · size / result⌉. Windows of one or two lengths follow: a pool for each, of which the results are picked.
 * @throws LoweringError WINDOW_OPTIONS, SIZE_UNKNOWN
 */
export function adaptivePool(
  builder: GraphBuilder,
  kind: PoolKind,
  x: Value,
  results: readonly number[],
  options: Pick<PoolOptions, 'dataFormat'> = {},
): Value {
  if (results.some((count) => count > LONGEST)) throw nothingInside(results, 'more than any picture has');
  slidingWindow(results, {});
  return inChannelsFirst(builder, x, options.dataFormat, (first) => {
    checkRank(first, results.length);
    return results.reduce<Value>((value, count, axis) => {
      const size = requiredSize(first, axis + 2, 'An adaptive pool');
      const along = (length: number, stride: number) =>
        pool(builder, kind, value, windowAlong(results.length, axis, length), {
          strides: windowAlong(results.length, axis, stride),
          dataFormat: 'channels_first',
        });
      if (count === size) return value;
      if (size % count === 0) return along(size / count, size / count);
      const starts = Array.from({ length: count }, (_, index) => Math.floor((index * size) / count));
      const lengths = starts.map((start, index) => Math.ceil(((index + 1) * size) / count) - start);
      const [short, long] = [Math.min(...lengths), Math.max(...lengths)];
      if (short === long) return gather(builder, along(short, 1), builder.int64(starts), axis + 2);
      const pooled = concat(builder, [along(short, 1), along(long, 1)], axis + 2);
      const behindShort = size - short + 1;
      const picked = starts.map((start, index) => (lengths[index] === short ? start : behindShort + start));
      return gather(builder, pooled, builder.int64(picked), axis + 2);
    }, first);
  });
}

function windowAlong(rank: number, axis: number, length: number): number[] {
  return Array.from({ length: rank }, (_, each) => (each === axis ? length : 1));
}

function checkRank(x: Value, spatial: number): void {
  if (spatial >= 1 && rankOf(x) === spatial + 2) return;
  throw new LoweringError({
    code: 'WINDOW_RANK',
    message: `A pool over ${spatial} dimensions does not fit an input of shape [${shapeText(shapeOf(x))}].`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}
