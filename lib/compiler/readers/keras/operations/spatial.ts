/** Operators over spatial dimensions in Functional models: `keras.ops` by class, and TensorFlow's functions by name. */
import type { Value } from '../../../ir/value.js';
import { depthToSpace, extractPatches, spaceToDepth } from '../../../lowering/blocks.js';
import { convolution, depthwiseConvolution, separableConvolution } from '../../../lowering/convolution.js';
import { cast } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { type PadMode, pad, type Widths } from '../../../lowering/padding.js';
import { adaptivePool, type PoolKind, pool } from '../../../lowering/pooling.js';
import { slice } from '../../../lowering/rearrange.js';
import { type Interpolation, resize } from '../../../lowering/resize.js';
import { rankOf, requiredSize } from '../../../lowering/shape.js';
import { INTERPOLATIONS, resizedPicture } from '../layers/resizing.js';
import { dataFormatOf, paddingOf, pictureAxes } from '../layers/spatial.js';
import type { Operation, OperationLowering, OperationTable } from './operation.js';

/** The position of an argument that a call gives by name. */
const BY_NAME = Number.POSITIVE_INFINITY;

/** Numbers for each spatial dimension; one stands for all. */
function perDimension(
  operation: Operation,
  position: number,
  name: string,
  rank: number,
): readonly number[] | undefined {
  const numbers = operation.integers(position, name);
  if (numbers === undefined || numbers.length === rank) return numbers;
  const [first] = numbers;
  if (first !== undefined && numbers.length === 1) return Array.from({ length: rank }, () => first);
  throw operation.refuse(`argument '${name}' has ${numbers.length} numbers for ${rank} dimensions`);
}

function pooled(kind: PoolKind): OperationLowering {
  return (operation) => {
    const x = operation.value(0, 'inputs');
    const rank = rankOf(x) - 2;
    const sizes = perDimension(operation, 1, 'pool_size', rank) ?? [];
    const strides = perDimension(operation, 2, 'strides', rank) ?? sizes;
    const { config } = operation;
    return [
      pool(operation.builder, kind, x, sizes, {
        strides,
        padding: paddingOf(config),
        dataFormat: dataFormatOf(config),
      }),
    ];
  };
}

function adaptivelyPooled(kind: PoolKind): OperationLowering {
  return (operation) => {
    const x = operation.value(0, 'inputs');
    const sizes = perDimension(operation, 1, 'output_size', rankOf(x) - 2) ?? [];
    return [adaptivePool(operation.builder, kind, x, sizes, { dataFormat: dataFormatOf(operation.config) })];
  };
}

/** What `keras.ops.conv` and its like have in common. @param position of the strides, behind the kernels */
function windowOf(operation: Operation, x: Value, position = 2) {
  const rank = rankOf(x) - 2;
  const strides = perDimension(operation, position, 'strides', rank);
  const dilations = perDimension(operation, position + 3, 'dilation_rate', rank);
  return {
    ...(strides !== undefined && { strides }),
    ...(dilations !== undefined && { dilations }),
    padding: paddingOf(operation.config),
    dataFormat: dataFormatOf(operation.config),
  };
}

const convolved: OperationLowering = (operation) => {
  const x = operation.value(0, 'inputs');
  return [convolution(operation.builder, x, operation.value(1, 'kernel'), windowOf(operation, x))];
};

const depthwise: OperationLowering = (operation) => {
  const x = operation.value(0, 'inputs');
  return [depthwiseConvolution(operation.builder, x, operation.value(1, 'kernel'), windowOf(operation, x))];
};

const separable: OperationLowering = (operation) => {
  const x = operation.value(0, 'inputs');
  const kernels = [operation.value(1, 'depthwise_kernel'), operation.value(2, 'pointwise_kernel')] as const;
  return [separableConvolution(operation.builder, x, ...kernels, windowOf(operation, x, 3))];
};

const PAD_MODES: Readonly<Record<string, PadMode>> = {
  constant: 'constant',
  reflect: 'reflect',
  symmetric: 'symmetric',
  edge: 'edge',
};

/** NumPy's widths: a number, a pair, or a pair for each dimension. */
const padded: OperationLowering = (operation) => {
  const x = operation.value(0, 'x');
  const name = operation.string(2, 'mode', 'constant').toLowerCase();
  const mode = Object.hasOwn(PAD_MODES, name) ? PAD_MODES[name] : undefined;
  if (mode === undefined) throw operation.refuse(`it pads by '${name}'`);
  const raw = operation.raw(1, operation.raw(1, 'pad_width') === undefined ? 'paddings' : 'pad_width');
  const widths = widthsOf(raw, rankOf(x));
  if (widths === undefined) throw operation.refuse('its widths are not pairs of whole numbers, one for each dimension');
  const value = operation.raw(3, 'constant_values') ?? 0;
  if (typeof value !== 'number') throw operation.refuse('what it pads with is no number');
  return [pad(operation.builder, x, widths, { mode, value })];
};

function widthsOf(raw: unknown, rank: number): Widths | undefined {
  const isPair = (each: unknown) => Array.isArray(each) && each.length === 2 && each.every(Number.isSafeInteger);
  if (Number.isSafeInteger(raw)) return widthsOf([[raw, raw]], rank);
  if (isPair(raw)) return widthsOf([raw], rank);
  if (!Array.isArray(raw) || !raw.every(isPair)) return undefined;
  if (raw.length === rank) return raw as unknown as Widths;
  return raw.length === 1 ? Array.from({ length: rank }, () => raw[0] as [number, number]) : undefined;
}

const resized: OperationLowering = (operation) => {
  const [height = 0, width = 0] = operation.integers(1, 'size') ?? [];
  const x = operation.value(0, 'images');
  return [resizedPicture(operation.builder, x, [height, width], operation.config)];
};

/** Two of three along rows and columns: what is cut in front, what behind, what is left. */
const cropped: OperationLowering = (operation) => {
  const x = operation.value(0, 'images');
  const axes = pictureAxes(rankOf(x), dataFormatOf(operation.config));
  const ranges = SIDES.map(([before, after, target], index) => {
    const [axis, front, behind, left] = [
      axes[index] ?? 0,
      sizeOf(operation, before),
      sizeOf(operation, after),
      sizeOf(operation, target),
    ];
    if (front !== undefined && behind !== undefined) return { axis, start: front, ...(behind > 0 && { end: -behind }) };
    if (front !== undefined && left !== undefined) return { axis, start: front, end: front + left };
    if (behind === undefined || left === undefined) throw operation.refuse('too few of its sizes are given');
    return { axis, start: -behind - left, ...(behind > 0 && { end: -behind }) };
  });
  return [slice(operation.builder, x, ranges)];
};

const paddedPictures: OperationLowering = (operation) => {
  const x = operation.value(0, 'images');
  const axes = pictureAxes(rankOf(x), dataFormatOf(operation.config));
  const widths = Array.from({ length: rankOf(x) }, (): [number, number] => [0, 0]);
  for (const [index, names] of PADDED_SIDES.entries()) {
    const axis = axes[index] ?? 0;
    const [front, behind, target] = names.map((name) => sizeOf(operation, name));
    const rest = (target ?? 0) - (target === undefined ? 0 : requiredSize(x, axis, operation.describes));
    if ([front, behind, target].filter((each) => each !== undefined).length < 2) {
      throw operation.refuse('too few of its sizes are given');
    }
    widths[axis] = [front ?? rest - (behind ?? 0), behind ?? rest - (front ?? 0)];
  }
  return [pad(operation.builder, x, widths)];
};

const SIDES = [
  ['top_cropping', 'bottom_cropping', 'target_height'],
  ['left_cropping', 'right_cropping', 'target_width'],
] as const;

const PADDED_SIDES = [
  ['top_padding', 'bottom_padding', 'target_height'],
  ['left_padding', 'right_padding', 'target_width'],
] as const;

function sizeOf(operation: Operation, name: string): number | undefined {
  const { config } = operation;
  if (!config.has(name)) return undefined;
  const size = config.number(name);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw config.refuse(name, 'It is a whole number of at least 0.');
}

const patches: OperationLowering = (operation) => {
  const x = operation.value(0, 'images');
  const { config } = operation;
  if (dataFormatOf(config) !== 'channels_last') throw config.refuse('data_format', "Use 'channels_last'.");
  const sizes = perDimension(operation, 1, 'size', rankOf(x) - 2) ?? [];
  const strides = perDimension(operation, 2, 'strides', sizes.length) ?? sizes;
  const dilations = perDimension(operation, 3, 'dilation_rate', sizes.length) ?? sizes.map(() => 1);
  return [extractPatches(operation.builder, x, sizes, { strides, dilations, padding: paddingOf(config) })];
};

function regrouped(lower: typeof depthToSpace): OperationLowering {
  return (operation) => {
    const block = operation.number(1, 'block_size');
    return [lower(operation.builder, operation.value(0, 'x'), block, dataFormatOf(operation.config))];
  };
}

export const kerasSpatialOperations: OperationTable = {
  AdaptiveAveragePool: adaptivelyPooled('average'),
  AdaptiveMaxPool: adaptivelyPooled('max'),
  AveragePool: pooled('average'),
  Conv: convolved,
  CropImages: cropped,
  DepthToSpace: regrouped(depthToSpace),
  DepthwiseConv: depthwise,
  ExtractPatches: patches,
  MaxPool: pooled('max'),
  Pad: padded,
  PadImages: paddedPictures,
  Resize: resized,
  SeparableConv: separable,
  SpaceToDepth: regrouped(spaceToDepth),
};

/** Of a TensorFlow function, [1, rows, columns, 1] or the two of them; one number stands for both. */
function rowsAndColumns(operation: Operation, position: number, name: string): readonly number[] {
  const numbers = operation.integers(position, name) ?? [];
  const [first = 1, second = first] = numbers.length === 4 ? numbers.slice(1, 3) : numbers;
  return [first, second];
}

function refuseFormat(operation: Operation): void {
  const format = operation.raw(BY_NAME, 'data_format') ?? 'NHWC';
  if (format !== 'NHWC') throw operation.refuse(`its data_format is ${String(format)}`);
}

function tensorflowPooled(kind: PoolKind): OperationLowering {
  return (operation) => {
    refuseFormat(operation);
    const padding = operation.string(3, 'padding', 'VALID').toLowerCase();
    if (padding !== 'same' && padding !== 'valid') throw operation.refuse(`its padding is ${padding}`);
    const [sizes, strides] = [rowsAndColumns(operation, 1, 'ksize'), rowsAndColumns(operation, 2, 'strides')];
    return [pool(operation.builder, kind, operation.value(0, 'input'), sizes, { strides, padding })];
  };
}

function tensorflowResized(fixed: Interpolation | undefined): OperationLowering {
  return (operation) => {
    const { builder } = operation;
    const x = operation.value(0, 'images');
    const name = fixed ?? operation.string(2, 'method', 'bilinear').toLowerCase();
    const interpolation = INTERPOLATIONS.find((each) => each === name);
    if (interpolation === undefined) throw operation.refuse(`its method is '${name}'`);
    if (operation.raw(BY_NAME, 'preserve_aspect_ratio') === true) throw operation.refuse('it keeps the aspect ratio');
    const [height = 0, width = 0] = operation.integers(1, 'size') ?? [];
    const picture = interpolation === 'nearest' || elementTypeOf(x) === 'float32' ? x : cast(builder, x, 'float32');
    // The functions of version 1 say where pixels lie; tf.image.resize counts from their centers.
    const options =
      fixed === undefined
        ? { halfPixelCenters: true, antialias: operation.raw(BY_NAME, 'antialias') === true }
        : {
            alignCorners: operation.boolean(2, 'align_corners', false),
            halfPixelCenters: operation.raw(BY_NAME, 'half_pixel_centers') === true,
          };
    return [resize(builder, picture, { sizes: [height, width] }, { ...options, interpolation })];
  };
}

function tensorflowRegrouped(lower: typeof depthToSpace): OperationLowering {
  return (operation) => {
    refuseFormat(operation);
    return [lower(operation.builder, operation.value(0, 'input'), operation.number(1, 'block_size'))];
  };
}

const tensorflowPatches: OperationLowering = (operation) => {
  const padding = operation.string(4, 'padding', 'VALID').toLowerCase();
  if (padding !== 'same' && padding !== 'valid') throw operation.refuse(`its padding is ${padding}`);
  const [sizes, strides, dilations] = ['sizes', 'strides', 'rates'].map((name, index) =>
    rowsAndColumns(operation, index + 1, name),
  ) as [readonly number[], readonly number[], readonly number[]];
  return [extractPatches(operation.builder, operation.value(0, 'images'), sizes, { strides, dilations, padding })];
};

export const tensorflowSpatialOperations: OperationTable = {
  'compat.v1.image.resize_bicubic': tensorflowResized('bicubic'),
  'compat.v1.image.resize_bilinear': tensorflowResized('bilinear'),
  'compat.v1.image.resize_nearest_neighbor': tensorflowResized('nearest'),
  'compat.v1.pad': padded,
  'image.extract_patches': tensorflowPatches,
  'image.resize': tensorflowResized(undefined),
  'nn.avg_pool': tensorflowPooled('average'),
  'nn.avg_pool2d': tensorflowPooled('average'),
  'nn.depth_to_space': tensorflowRegrouped(depthToSpace),
  'nn.max_pool': tensorflowPooled('max'),
  'nn.max_pool2d': tensorflowPooled('max'),
  'nn.space_to_depth': tensorflowRegrouped(spaceToDepth),
  pad: padded,
};
