/** Space against depth and batch: the same elements, regrouped by blocks or patches. Channels-last as in TensorFlow. */
import { attribute } from '../ir/attribute.js';
import type { Value } from '../ir/value.js';
import { dilatedConvolution, rememberPhases } from './atrous.js';
import { sizeVector } from './computed-shape.js';
import { binary } from './elementwise.js';
import { elementTypeOf, type GraphBuilder } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { crop, pad, padByVector, type Widths } from './padding.js';
import { concat, reshape, shapeVector, slice, transpose } from './rearrange.js';
import { rankOf, shapeOf, shapeText, staticSize } from './shape.js';
import {
  computedSamePads,
  type DataFormat,
  inChannelsFirst,
  slidingWindow,
  staticPads,
  type WindowOptions,
} from './sliding-window.js';

/**
 * TensorFlow's SpaceToDepth: [N, H, W, C] → [N, H/b, W/b, b · b · C], a block's rows first, then its columns, then the channels: the order
 * of ONNX's too.
 * @throws LoweringError BLOCK_SIZE
 */
export function spaceToDepth(builder: GraphBuilder, x: Value, block: number, dataFormat?: DataFormat): Value {
  return inChannelsFirst(builder, x, dataFormat, (first) => {
    const [batch, channels, height, width] = shapeOf(first);
    checkBlocks(first, [1, 1, block, block]);
    const type = {
      elementType: elementTypeOf(x),
      shape: [
        batch,
        typeof channels === 'number' ? channels * block * block : undefined,
        ...[height, width].map((size) => (typeof size === 'number' ? size / block : undefined)),
      ],
    };
    return builder.node('SpaceToDepth', [first], type, { attributes: { blocksize: attribute.int(block) } });
  });
}

/** TensorFlow's DepthToSpace, ONNX's mode DCR: [N, H, W, b · b · C] → [N, H · b, W · b, C]. @throws LoweringError BLOCK_SIZE */
export function depthToSpace(builder: GraphBuilder, x: Value, block: number, dataFormat?: DataFormat): Value {
  return inChannelsFirst(builder, x, dataFormat, (first) => {
    const [batch, channels, height, width] = shapeOf(first);
    checkBlocks(first, [1, block * block, 1, 1]);
    const type = {
      elementType: elementTypeOf(x),
      shape: [
        batch,
        typeof channels === 'number' ? channels / (block * block) : undefined,
        ...[height, width].map((size) => (typeof size === 'number' ? size * block : undefined)),
      ],
    };
    const attributes = { blocksize: attribute.int(block), mode: attribute.string('DCR') };
    return builder.node('DepthToSpace', [first], type, { attributes });
  });
}

/**
 * TensorFlow's SpaceToBatchND: zeros around the dimensions after the batch, then each block's elements go to batches of their own:
 * [N, s…, rest] → [Π blocks · N, (s + pads) / block…, rest], the position in the block counting before N.
 * @param widths zeros before and after, for each blocked dimension
 * @throws LoweringError BLOCK_SIZE
 */
export function spaceToBatch(builder: GraphBuilder, x: Value, blocks: readonly number[], widths: Widths): Value {
  const outer = shapeOf(x).slice(blocks.length + 1);
  const padded = pad(builder, x, [[0, 0], ...widths, ...outer.map(nothing)]);
  checkBlocks(padded, [1, ...blocks, ...outer.map(() => 1)]);
  const sizes = sizesAfterBatch(builder, padded);
  const [spatial, rest] = [sizes.slice(0, blocks.length), sizes.slice(blocks.length)];
  const counts = spatial.map((size, axis) => scaled(builder, size, 'Div', blocks[axis] ?? 1));
  const cut = counts.flatMap((count, axis) => [count, blocks[axis] ?? 1]);
  const split = reshapeTo(builder, padded, [-1, ...cut, ...rest]);
  const order = [
    ...blocks.map((_, axis) => 2 * axis + 2),
    0,
    ...blocks.map((_, axis) => 2 * axis + 1),
    ...rest.map((_, axis) => 2 * blocks.length + 1 + axis),
  ];
  const batch = staticSize(x, 0);
  const first = batch === undefined ? -1 : batch * product(blocks);
  const result = reshapeTo(builder, transpose(builder, split, order), [first, ...counts, ...rest]);
  rememberPhases(result, { whole: x, blocks, widths });
  return result;
}

/**
 * TensorFlow's BatchToSpaceND, the way back: [Π blocks · N, s…, rest] → [N, s · block - crops…, rest]. A convolution between
 * the two becomes a dilated one (atrous.ts).
 * @throws LoweringError BLOCK_SIZE, CROP_WIDTHS
 */
export function batchToSpace(builder: GraphBuilder, x: Value, blocks: readonly number[], crops: Widths): Value {
  const dilated = dilatedConvolution(builder, x, blocks, crops);
  if (dilated !== undefined) return dilated;
  const sizes = sizesAfterBatch(builder, x);
  checkBlocks(x, [product(blocks), ...sizes.map(() => 1)]);
  const [spatial, rest] = [sizes.slice(0, blocks.length), sizes.slice(blocks.length)];
  const batch = staticSize(x, 0);
  const first = batch === undefined ? -1 : batch / product(blocks);
  const split = reshapeTo(builder, x, [...blocks, first, ...sizes]);
  const order = [
    blocks.length,
    ...blocks.flatMap((_, axis) => [blocks.length + 1 + axis, axis]),
    ...rest.map((_, axis) => 2 * blocks.length + 1 + axis),
  ];
  const whole = spatial.map((size, axis) => scaled(builder, size, 'Mul', blocks[axis] ?? 1));
  const merged = reshapeTo(builder, transpose(builder, split, order), [first, ...whole, ...rest]);
  return crop(builder, merged, [[0, 0], ...crops, ...rest.map(nothing)]);
}

function nothing(): readonly [number, number] {
  return [0, 0];
}

function product(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all * number, 1);
}

/** A size that is known, or what computes it: int64 [1]. */
type Size = number | Value;

function sizesAfterBatch(builder: GraphBuilder, x: Value): Size[] {
  return shapeOf(x)
    .slice(1)
    .map((size, axis) => {
      if (typeof size === 'number') return size;
      return slice(builder, shapeVector(builder, x), [{ axis: 0, start: axis + 1, end: axis + 2 }]);
    });
}

function scaled(builder: GraphBuilder, size: Size, operator: 'Div' | 'Mul', factor: number): Size {
  if (typeof size !== 'number') return binary(builder, operator, size, builder.int64([factor]));
  return operator === 'Div' ? size / factor : size * factor;
}

function reshapeTo(builder: GraphBuilder, x: Value, sizes: readonly Size[]): Value {
  const numbers = sizes.filter((size): size is number => typeof size === 'number');
  if (numbers.length === sizes.length) return reshape(builder, x, numbers);
  const shape = sizes.map((size) => (typeof size === 'number' && size >= 0 ? size : undefined));
  return builder.node('Reshape', [x, sizeVector(builder, sizes)], { elementType: elementTypeOf(x), shape });
}

/** A patch is written as a slice for each of its elements. */
const MOST_SLICES = 4096;

/** @throws LoweringError BLOCK_SIZE where a known size is no multiple of its block */
function checkBlocks(x: Value, blocks: readonly number[]): void {
  const shape = shapeOf(x);
  const fits =
    shape.length === blocks.length &&
    blocks.every((block) => Number.isSafeInteger(block) && block >= 1) &&
    shape.every((size, axis) => typeof size !== 'number' || size % (blocks[axis] ?? 1) === 0);
  if (!fits) throw doesNotDivide(x, blocks);
}

function doesNotDivide(x: Value, blocks: readonly number[]): LoweringError {
  return new LoweringError({
    code: 'BLOCK_SIZE',
    message: `[${shapeText(shapeOf(x))}] cannot be divided into blocks of [${blocks.join(', ')}].`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

/**
 * tf.image.extract_patches: the elements of each window, one after another on the last axis: [N, H, W, C] → [N, rows, columns,
 * kh · kw · C]. `x` may have any number of spatial dimensions.
 * @param sizes of a patch
 * @throws LoweringError WINDOW_OPTIONS, BLOCK_SIZE for patches of more than 4096 elements
 */
export function extractPatches(
  builder: GraphBuilder,
  x: Value,
  sizes: readonly number[],
  options: WindowOptions = {},
): Value {
  const window = slidingWindow(sizes, options);
  const count = product(sizes);
  if (rankOf(x) !== sizes.length + 2 || count > MOST_SLICES) throw doesNotDivide(x, sizes);
  const spatial = shapeOf(x).slice(1, -1);
  const pads = staticPads(window, spatial);
  const padded =
    pads === undefined
      ? inChannelsFirst(builder, x, 'channels_last', (first) =>
          padByVector(builder, first, computedSamePads(builder, first, window)),
        )
      : pad(builder, x, [[0, 0], ...pads, [0, 0]]);
  const patches = Array.from({ length: count }, (_, index) => {
    let rest = index;
    const ranges = sizes.map((_, axis) => {
      const after = product(sizes.slice(axis + 1));
      const start = Math.floor(rest / after) * (window.dilations[axis] ?? 1);
      rest %= after;
      // As far from the end as the window's last element from this one.
      const behind = (window.extents[axis] ?? 1) - 1 - start;
      return { axis: axis + 1, start, ...(behind > 0 && { end: -behind }), step: window.strides[axis] ?? 1 };
    });
    return slice(builder, padded, ranges);
  });
  return concat(builder, patches, -1);
}
