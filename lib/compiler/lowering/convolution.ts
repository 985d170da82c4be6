/** Convolutions of TensorFlow, TFLite and Keras as ONNX's Conv: x [N, …, C], the kernel in the order of its source. */
import { attribute } from '../ir/attribute.js';
import type { Dimension, Value } from '../ir/value.js';
import { rememberConvolution } from './atrous.js';
import { elementTypeOf, type GraphBuilder } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { padByVector } from './padding.js';
import { reshape, transpose } from './rearrange.js';
import { type Shape, shapeOf, shapeText } from './shape.js';
import {
  computedSamePads,
  type DataFormat,
  hasAutomaticPads,
  inChannelsFirst,
  type Padding,
  type SlidingWindow,
  slidingWindow,
  spatialShape,
  staticPads,
  type WindowOptions,
  windowAttributes,
  windowCounts,
} from './sliding-window.js';

/**
 * A kernel's dimensions, H W standing for all spatial ones, O for filters, I for a filter's inputs: TensorFlow's and Keras's HWIO,
 * TFLite's OHWI, ONNX's OIHW.
 */
export type KernelLayout = 'HWIO' | 'OHWI' | 'OIHW';

/** HWCM: [H, W, channels, multiplier], TensorFlow's and Keras's; 1HWO: [1, H, W, channels · multiplier], TFLite's; OIHW: ONNX's, I being 1. */
export type DepthwiseKernelLayout = 'HWCM' | '1HWO' | 'OIHW';

export interface ConvolutionOptions<Layout = KernelLayout> extends WindowOptions {
  /** [filters]. */
  readonly bias?: Value;
  /** Default `channels_last`; the result has the same. */
  readonly dataFormat?: DataFormat;
  /** Default TensorFlow's. */
  readonly kernelLayout?: Layout;
}

/**
 * y[n, p, o] = bias[o] + Σ x[n, p · stride + k · dilation - pad, i] · kernel[k, i, o], over one to three spatial dimensions.
 * Groups follow from the kernel, as in TensorFlow: the channels of `x` over a filter's inputs.
 * @throws LoweringError KERNEL_SHAPE, WINDOW_OPTIONS, WINDOW_TOO_LARGE
 */
export function convolution(builder: GraphBuilder, x: Value, kernel: Value, options: ConvolutionOptions = {}): Value {
  const weights = named(kernel, filtersFirst(builder, kernel, options.kernelLayout ?? 'HWIO'));
  const y = inChannelsFirst(builder, x, options.dataFormat, (first) => {
    const [filters = 0, inputs = 0] = kernelShape(weights, x);
    const channels = shapeOf(first)[1] ?? inputs;
    const groups = typeof channels === 'number' ? channels / inputs : 1;
    if (!Number.isInteger(groups) || groups < 1 || filters % groups !== 0) throw doesNotFit(weights, x);
    return convolve(builder, first, weights, groups, options);
  });
  rememberConvolution(x, y, options, (other, whole, window) => {
    return convolution(other, whole, weights, { ...options, ...window, kernelLayout: 'OIHW' });
  });
  return y;
}

/**
 * Each channel with kernels of its own: y[n, p, c · M + m] = bias + Σ x[n, p · stride + k · dilation - pad, c] · kernel[k, c, m].
 * @throws LoweringError KERNEL_SHAPE, WINDOW_OPTIONS, WINDOW_TOO_LARGE
 */
export function depthwiseConvolution(
  builder: GraphBuilder,
  x: Value,
  kernel: Value,
  options: ConvolutionOptions<DepthwiseKernelLayout> = {},
): Value {
  const weights = named(kernel, depthwiseFilters(builder, kernel, options.kernelLayout ?? 'HWCM'));
  const y = inChannelsFirst(builder, x, options.dataFormat, (first) => {
    const [filters = 0] = kernelShape(weights, x);
    const channels = shapeOf(first)[1];
    const groups = typeof channels === 'number' ? channels : filters;
    if (groups < 1 || filters % groups !== 0) throw doesNotFit(weights, x);
    return convolve(builder, first, weights, groups, options);
  });
  rememberConvolution(x, y, options, (other, whole, window) => {
    return depthwiseConvolution(other, whole, weights, { ...options, ...window, kernelLayout: 'OIHW' });
  });
  return y;
}

/** A depthwise convolution, then one of size 1 with the bias: Keras's SeparableConv. Both kernels as TensorFlow has them. */
export function separableConvolution(
  builder: GraphBuilder,
  x: Value,
  depthwiseKernel: Value,
  pointwiseKernel: Value,
  options: Omit<ConvolutionOptions, 'kernelLayout'> = {},
): Value {
  const { bias, ...window } = options;
  return inChannelsFirst(builder, x, options.dataFormat, (first) => {
    const channels = depthwiseConvolution(builder, first, depthwiseKernel, { ...window, dataFormat: 'channels_first' });
    return convolution(builder, channels, pointwiseKernel, {
      ...(bias === undefined ? {} : { bias }),
      dataFormat: 'channels_first',
    });
  });
}

/** `x` and result [N, C, …], weights [O, I, …]. */
function convolve(
  builder: GraphBuilder,
  x: Value,
  weights: Value,
  groups: number,
  options: ConvolutionOptions<unknown>,
) {
  const [filters, , ...sizes] = kernelShape(weights, x);
  const window = slidingWindow(sizes, options);
  const spatial = spatialShape(x);
  const shape = [shapeOf(x)[0], filters, ...windowCounts(window, spatial)];
  let [input, pads] = [x, staticPads(window, spatial)];
  if (pads === undefined && !hasAutomaticPads(window)) {
    input = padByVector(builder, x, computedSamePads(builder, x, window));
    pads = sizes.map(() => [0, 0]);
  }
  const attributes = { ...windowAttributes(window, pads), group: attribute.int(groups) };
  const type = { elementType: elementTypeOf(x), shape };
  const inputs = options.bias === undefined ? [input, weights] : [input, weights, options.bias];
  return builder.node('Conv', inputs, type, { attributes });
}

/** A constant that was rearranged at once takes the name of the source's weight, which nothing reads any more. */
function named(kernel: Value, rearranged: Value): Value {
  if (rearranged.initializer !== undefined && kernel.initializer !== undefined && kernel.uses.size === 0) {
    [kernel.name, rearranged.name] = [rearranged.name, kernel.name];
  }
  return rearranged;
}

/** [O, I, …] from any order. A constant is rearranged at once. */
function filtersFirst(builder: GraphBuilder, kernel: Value, layout: KernelLayout): Value {
  const rank = shapeOf(kernel).length;
  const spatial = Array.from({ length: Math.max(0, rank - 2) }, (_, axis) => axis);
  if (layout === 'OIHW') return kernel;
  if (layout === 'OHWI') return transpose(builder, kernel, [0, rank - 1, ...spatial.map((axis) => axis + 1)]);
  return transpose(builder, kernel, [rank - 1, rank - 2, ...spatial]);
}

function depthwiseFilters(builder: GraphBuilder, kernel: Value, layout: DepthwiseKernelLayout): Value {
  if (layout === 'OIHW') return kernel;
  const shape = shapeOf(kernel);
  const rank = shape.length;
  const spatial = Array.from({ length: Math.max(0, rank - 2) }, (_, axis) => axis);
  if (layout === '1HWO') return transpose(builder, kernel, [rank - 1, 0, ...spatial.map((axis) => axis + 1)]);
  const [channels, multiplier] = shape.slice(-2);
  const first = transpose(builder, kernel, [rank - 2, rank - 1, ...spatial]);
  const sizes = shape.slice(0, -2);
  if (![channels, multiplier, ...sizes].every((size) => typeof size === 'number')) throw doesNotFit(kernel, kernel);
  return reshape(builder, first, [Number(channels) * Number(multiplier), 1, ...sizes.map(Number)]);
}

/** The kernel's sizes, which fit the spatial dimensions of `x`. @throws LoweringError KERNEL_SHAPE */
function kernelShape(weights: Value, x: Value): number[] {
  const shape = shapeOf(weights);
  const fits = shape.length === shapeOf(x).length && shape.length > 2;
  if (!fits || shape.some((size) => typeof size !== 'number' || size < 1)) throw doesNotFit(weights, x);
  return shape as number[];
}

function doesNotFit(weights: Value, x: Value): LoweringError {
  const [kernel, input]: Shape[] = [shapeOf(weights), shapeOf(x)];
  return new LoweringError({
    code: 'KERNEL_SHAPE',
    message: `A kernel of shape [${shapeText(kernel ?? [])}] (filters first) does not fit an input of shape [${shapeText(input ?? [])}].`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

/** HWOI: [H, W, filters, inputs], TensorFlow's and Keras's; OHWI: TFLite's; IOHW: ONNX's. */
export type TransposedKernelLayout = 'HWOI' | 'OHWI' | 'IOHW';

export interface TransposedConvolutionOptions extends ConvolutionOptions<TransposedKernelLayout> {
  /**
   * The result's spatial sizes, where the source gives them. Default, for each that is left out: size · stride for `same`,
   * (size - 1) · stride + max(extent, stride) for `valid`, as Keras computes them.
   */
  readonly outputSizes?: readonly (number | undefined)[];
  /**
   * Keras's `output_padding`, in place of sizes: (size - 1) · stride + extent mod 2 + padding for `same`, (size - 1) · stride + extent +
   * padding for `valid`.
   */
  readonly outputPadding?: readonly number[];
}

/**
 * The gradient of a convolution with respect to its input, as TensorFlow's Conv2DBackpropInput: each element of `x` adds its multiple of
 * the kernel at p · stride - pad, where `pad` is what the convolution back from the result would have.
 * @throws LoweringError KERNEL_SHAPE, WINDOW_OPTIONS, SIZE_UNKNOWN where `outputSizes` stand against an open size, OUTPUT_SIZE where no
 * convolution leads back
 */
export function transposedConvolution(
  builder: GraphBuilder,
  x: Value,
  kernel: Value,
  options: TransposedConvolutionOptions = {},
): Value {
  const weights = named(kernel, inputsFirst(builder, kernel, options.kernelLayout ?? 'HWOI'));
  return inChannelsFirst(builder, x, options.dataFormat, (first) => {
    const [inputs, filters, ...sizes] = kernelShape(weights, x);
    const [batch, channels, ...spatial] = shapeOf(first);
    if (typeof channels === 'number' && channels !== inputs) throw doesNotFit(weights, x);
    const window = slidingWindow(sizes, options);
    const axes = spatial.map((size, axis) => transposedAxis(window, axis, size, options));
    const pads = axes.map((axis) => axis.pads);
    const attributes = windowAttributes(window, pads);
    const beyond = axes.map(({ outputPadding }) => outputPadding);
    if (beyond.some((count) => count > 0)) attributes.output_padding = attribute.ints(beyond);
    const type = { elementType: elementTypeOf(x), shape: [batch, filters, ...axes.map(({ size }) => size)] };
    const { bias } = options;
    return builder.node('ConvTranspose', bias === undefined ? [first, weights] : [first, weights, bias], type, {
      attributes,
    });
  });
}

interface TransposedAxis {
  readonly size: Dimension;
  readonly pads: readonly [number, number];
  readonly outputPadding: number;
}

/**
 * `same` pads ⌊total / 2⌋ before, total being what the convolution from the result back to `size` elements lacks; what the result has
 * beyond the last window stays zero.
 */
function transposedAxis(
  window: SlidingWindow,
  axis: number,
  size: Dimension,
  options: TransposedConvolutionOptions,
): TransposedAxis {
  const [stride = 1, extent = 1] = [window.strides[axis], window.extents[axis]];
  const { padding } = window;
  const wanted = options.outputSizes?.[axis];
  const full = typeof size === 'number' ? (size - 1) * stride + extent : undefined;
  if (wanted === undefined) {
    // What is cut of the full result: no size enters.
    const cut = transposedCut(padding, axis, stride, extent, options.outputPadding?.[axis]);
    const before = typeof padding === 'string' ? Math.floor(Math.max(0, cut) / 2) : (padding[axis]?.[0] ?? 0);
    const result = full === undefined ? (stride === 1 && cut === extent - 1 ? size : undefined) : full - cut;
    return checkedAxis(result, stride, [before, cut - before]);
  }
  if (full === undefined) {
    throw new LoweringError({
      code: 'SIZE_UNKNOWN',
      message: `A transposed convolution gives spatial dimension ${axis} the size ${wanted}, and the input's size there is open.`,
      advice: 'Export the model with a fixed input size.',
    });
  }
  const missing = (Math.ceil(wanted / stride) - 1) * stride + extent - wanted;
  const before =
    typeof padding !== 'string'
      ? (padding[axis]?.[0] ?? 0)
      : padding === 'same'
        ? Math.floor(Math.max(0, missing) / 2)
        : 0;
  return checkedAxis(wanted, stride, [before, full - before - wanted]);
}

function transposedCut(
  padding: Padding,
  axis: number,
  stride: number,
  extent: number,
  extra: number | undefined,
): number {
  if (padding === 'same') return extra === undefined ? extent - stride : extent - (extent % 2) - extra;
  if (padding === 'valid') return extra === undefined ? -Math.max(0, stride - extent) : -extra;
  if (padding !== 'causal') return (padding[axis]?.[0] ?? 0) + (padding[axis]?.[1] ?? 0) - (extra ?? 0);
  throw new LoweringError({
    code: 'WINDOW_OPTIONS',
    message: 'A transposed convolution has no causal padding.',
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

function checkedAxis(size: Dimension, stride: number, [before, after]: readonly [number, number]): TransposedAxis {
  const outputPadding = Math.max(0, -after);
  if (outputPadding < stride && (typeof size !== 'number' || size > 0)) {
    return { size, pads: [before, Math.max(0, after)], outputPadding };
  }
  throw new LoweringError({
    code: 'OUTPUT_SIZE',
    message: `A transposed convolution with stride ${stride} should make ${size} elements, and no convolution leads back from those.`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

/** [I, O, …] from any order. */
function inputsFirst(builder: GraphBuilder, kernel: Value, layout: TransposedKernelLayout): Value {
  const rank = shapeOf(kernel).length;
  const spatial = Array.from({ length: Math.max(0, rank - 2) }, (_, axis) => axis);
  if (layout === 'IOHW') return kernel;
  if (layout === 'OHWI') return transpose(builder, kernel, [rank - 1, 0, ...spatial.map((axis) => axis + 1)]);
  return transpose(builder, kernel, [rank - 1, rank - 2, ...spatial]);
}
