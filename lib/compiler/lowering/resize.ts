/** Pictures (and other spatial tensors) of other sizes, as TensorFlow, TFLite and Keras interpolate them. */
import { type Attribute, attribute } from '../ir/attribute.js';
import { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import {
  areaWeights,
  bicubicWeights,
  isExactlyBicubic,
  type KernelName,
  kernelWeights,
  nearestIndices,
  type SamplingOptions,
  type WeightMatrix,
} from './interpolation.js';
import { LoweringError } from './lowering-error.js';
import { matmul } from './matrix.js';
import { concat, gather, shapeVector, slice } from './rearrange.js';
import { requiredSize, type Shape, shapeOf, shapeText } from './shape.js';
import { type DataFormat, inChannelsFirst } from './sliding-window.js';

/** tf.image.ResizeMethod. */
export type Interpolation = 'nearest' | 'area' | KernelName;

/** The spatial sizes of the result; whole multiples of what there is; or sizes that are computed, an int64 vector. */
export type ResizeTarget =
  | { readonly sizes: readonly number[] }
  | { readonly factors: readonly number[] }
  | { readonly computedSizes: Value };

/** `alignCorners` and `halfPixelCenters` default to false, as in TensorFlow's operators; tf.image.resize and Keras set the latter. */
export interface ResizeOptions extends SamplingOptions {
  /** Default `bilinear`. */
  readonly interpolation?: Interpolation;
  /** Where pictures get smaller, mean over what a pixel covers. Default false. */
  readonly antialias?: boolean;
  /** Default `channels_last`; the result has the same. */
  readonly dataFormat?: DataFormat;
}

/** No picture has a longer side; a table is made for each axis. */
const LONGEST = 2 ** 16;

/**
 * TensorFlow's ResizeNearestNeighbor, ResizeBilinear, ResizeBicubic, ResizeArea and ScaleAndTranslate (Lanczos, `antialias`), each by its
 * own formula (interpolation.ts). `x` [N, …, C] of a floating-point type; nearest takes any. What ONNX's Resize computes otherwise is
 * written as a Gather or as products with matrices of weights, along each axis.
 * @throws LoweringError RESIZE_SIZE, SIZE_UNKNOWN where weights depend on sizes that are open
 */
export function resize(builder: GraphBuilder, x: Value, target: ResizeTarget, options: ResizeOptions = {}): Value {
  const { interpolation = 'bilinear' } = options;
  return inChannelsFirst(builder, x, options.dataFormat, (first) => {
    const spatial = shapeOf(first).slice(2);
    const sizes = targetSizes(spatial, target);
    if (sizes.every((size, axis) => typeof size === 'number' && size === spatial[axis])) return first;
    if (interpolation === 'nearest') return resizeNearest(builder, first, target, sizes, options);
    const weighted = interpolation !== 'bilinear' || options.antialias === true;
    if (weighted && !isCubicNode(spatial, target, sizes, options)) {
      return sizes.reduce<Value>((value, _, axis) => {
        const from = requiredSize(first, axis + 2, `Resizing (${interpolation})`);
        return alongAxis(builder, value, axis + 2, weightsOf(from, fixedSize(sizes, axis, interpolation), options));
      }, first);
    }
    return resizeNode(builder, first, target, sizes, {
      mode: attribute.string(interpolation === 'bilinear' ? 'linear' : 'cubic'),
      coordinate_transformation_mode: attribute.string(coordinates(options)),
      ...(interpolation === 'bicubic' && {
        cubic_coeff_a: attribute.float(options.halfPixelCenters ? -0.5 : -0.75),
        exclude_outside: attribute.int(options.halfPixelCenters ? 1 : 0),
      }),
    });
  });
}

function targetSizes(spatial: readonly Dimension[], target: ResizeTarget): Dimension[] {
  if ('computedSizes' in target) {
    const known = target.computedSizes.initializer?.numbers();
    return known === undefined ? spatial.map(() => undefined) : checkedSizes(spatial, known);
  }
  if ('sizes' in target) return checkedSizes(spatial, target.sizes);
  checkedSizes(spatial, target.factors);
  return spatial.map((size, axis) => {
    const factor = target.factors[axis] ?? 1;
    return typeof size === 'number' ? size * factor : factor === 1 ? size : undefined;
  });
}

function checkedSizes(spatial: readonly Dimension[], sizes: readonly number[]): readonly number[] & Dimension[] {
  const fits = sizes.every((size) => Number.isSafeInteger(size) && size >= 1 && size <= LONGEST);
  if (fits && sizes.length === spatial.length && spatial.length > 0) return [...sizes];
  throw new LoweringError({
    code: 'RESIZE_SIZE',
    message: `[${shapeText(spatial)}] cannot be resized to (or by) [${sizes.join(', ')}].`,
    advice: `Sizes and factors are whole numbers from 1 to ${LONGEST}, one for each spatial dimension.`,
  });
}

function fixedSize(sizes: readonly Dimension[], axis: number, interpolation: string): number {
  const size = sizes[axis];
  if (typeof size === 'number') return size;
  throw new LoweringError({
    code: 'SIZE_UNKNOWN',
    message: `Resizing (${interpolation}) needs the result's size along spatial dimension ${axis}, which is open.`,
    advice: 'Export the model with fixed sizes, or use bilinear or nearest interpolation.',
  });
}

/** TensorFlow takes the distances of its bicubic weights from a table: ONNX's Resize has them all for powers of two only. */
function isCubicNode(
  spatial: readonly Dimension[],
  target: ResizeTarget,
  sizes: readonly Dimension[],
  { interpolation, antialias = false, alignCorners = false }: ResizeOptions,
): boolean {
  if (interpolation !== 'bicubic' || antialias || alignCorners || spatial.length !== 2) return false;
  if ('factors' in target) return target.factors.every((factor) => isExactlyBicubic(1, factor));
  return sizes.every((size, axis) => {
    const from = spatial[axis];
    return typeof size === 'number' && typeof from === 'number' && isExactlyBicubic(from, size);
  });
}

function weightsOf(from: number, to: number, options: ResizeOptions): WeightMatrix {
  const { interpolation = 'bilinear', antialias = false } = options;
  if (interpolation === 'area') return areaWeights(from, to, options);
  if (interpolation === 'bicubic' && !antialias) return bicubicWeights(from, to, options);
  return kernelWeights(interpolation === 'nearest' ? 'bilinear' : interpolation, from, to, antialias);
}

/** A product with the weights along one spatial axis of `x` [N, C, …], which is brought to the end of the shape for it. */
function alongAxis(builder: GraphBuilder, x: Value, axis: number, { rows, columns, weights }: WeightMatrix): Value {
  const rank = shapeOf(x).length;
  const elementType = elementTypeOf(x);
  const constant = (dims: readonly number[], numbers: ArrayLike<number>) =>
    builder.constant(
      elementType === 'float32'
        ? Tensor.fromTyped('float32', dims, Float32Array.from(numbers))
        : Tensor.fromNumbers(elementType, dims, numbers),
    );
  if (axis === rank - 2) return matmul(builder, constant([rows, columns], weights), x);
  if (axis !== rank - 1) {
    throw new LoweringError({
      code: 'RESIZE_SIZE',
      message: `This interpolation is of pictures, and the input has the shape [${shapeText(shapeOf(x))}].`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  const turned = new Float32Array(weights.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = weights[row * columns + column] ?? 0;
  }
  return matmul(builder, x, constant([columns, rows], turned));
}

/**
 * Whole factors repeat elements. Where sizes are known the indices are TensorFlow's own, rounded as it rounds: a Resize where they
 * repeat elements too, else a Gather. Where sizes are open, ONNX's Resize rounds by itself.
 */
function resizeNearest(
  builder: GraphBuilder,
  x: Value,
  target: ResizeTarget,
  sizes: readonly Dimension[],
  options: ResizeOptions,
): Value {
  if ('factors' in target) return repeated(builder, x, target.factors, sizes);
  const spatial = shapeOf(x).slice(2);
  if (![...spatial, ...sizes].every((size) => typeof size === 'number')) {
    return resizeNode(builder, x, target, sizes, {
      mode: attribute.string('nearest'),
      coordinate_transformation_mode: attribute.string(coordinates(options)),
      nearest_mode: attribute.string(options.alignCorners || options.halfPixelCenters ? 'round_prefer_ceil' : 'floor'),
    });
  }
  const indices = spatial.map((from, axis) => nearestIndices(Number(from), Number(sizes[axis]), options));
  const factors = indices.map((row, axis) => row.length / Number(spatial[axis]));
  const repeats = indices.every((row, axis) => {
    const factor = factors[axis] ?? 1;
    return Number.isInteger(factor) && row.every((index, position) => index === Math.floor(position / factor));
  });
  if (repeats) return repeated(builder, x, factors, sizes);
  return indices.reduce<Value>((value, row, axis) => {
    const same = row.length === spatial[axis] && row.every((index, position) => index === position);
    return same ? value : gather(builder, value, builder.int64(row), axis + 2);
  }, x);
}

function repeated(builder: GraphBuilder, x: Value, factors: readonly number[], sizes: readonly Dimension[]): Value {
  return resizeNode(builder, x, { factors }, sizes, {
    mode: attribute.string('nearest'),
    coordinate_transformation_mode: attribute.string('asymmetric'),
    nearest_mode: attribute.string('floor'),
  });
}

function coordinates({ alignCorners = false, halfPixelCenters = false }: SamplingOptions): string {
  if (alignCorners) return 'align_corners';
  return halfPixelCenters ? 'half_pixel' : 'asymmetric';
}

function resizeNode(
  builder: GraphBuilder,
  x: Value,
  target: ResizeTarget,
  sizes: readonly Dimension[],
  attributes: Readonly<Record<string, Attribute>>,
): Value {
  const { elementType, shape } = typeOf(x);
  const type = { elementType, shape: [...shape.slice(0, 2), ...sizes] };
  if ('factors' in target) {
    const scales = builder.floats([1, 1, ...target.factors]);
    return builder.node('Resize', [x, undefined, scales], type, { attributes });
  }
  const scales = exactScales(shape, sizes);
  if (scales !== undefined) return builder.node('Resize', [x, undefined, builder.floats(scales)], type, { attributes });
  // All sizes, not `axes`: where onnxruntime moves Transposes through a Resize it takes them for those of all dimensions.
  const wanted = 'sizes' in target ? builder.int64(target.sizes) : target.computedSizes;
  const outer = slice(builder, shapeVector(builder, x), [{ axis: 0, start: 0, end: 2 }]);
  const all = concat(builder, [outer, wanted], 0);
  return builder.node('Resize', [x, undefined, undefined, all], type, { attributes });
}

/**
 * What onnxruntime makes of sizes by itself, where the batch or the channels are open and the rest is not: no Shape is computed then.
 * Undefined where the product with them falls short of the size.
 */
function exactScales(shape: Shape, sizes: readonly Dimension[]): number[] | undefined {
  if (shape.slice(0, 2).every((size) => typeof size === 'number')) return undefined;
  const scales = sizes.map((to, axis) => {
    const from = shape[axis + 2];
    const scale = typeof from === 'number' && typeof to === 'number' ? Math.fround(to / from) : 0;
    return Math.floor(Math.fround(scale * Number(from))) === to ? scale : undefined;
  });
  return scales.every((scale) => scale !== undefined) ? [1, 1, ...scales] : undefined;
}
