/** Borders, blocks and sizes of pictures. */
import type { Value } from '../../../ir/value.js';
import { batchToSpace, depthToSpace, extractPatches, spaceToBatch, spaceToDepth } from '../../../lowering/blocks.js';
import { cast } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { knownNumbers } from '../../../lowering/known-elements.js';
import { type PadMode, type PadOptions, pad, padByVector, type Widths } from '../../../lowering/padding.js';
import { reshape, transpose } from '../../../lowering/rearrange.js';
import { type Interpolation, resize } from '../../../lowering/resize.js';
import { rankOf, shapeOf } from '../../../lowering/shape.js';
import { dilatedConvolution, rememberSpace } from '../dilated-convolution.js';
import type { OpCall, OpLowering, OpTable } from '../op-call.js';
import { unwritten } from '../unwritten.js';
import { perPart } from './per-part.js';
import { dataFormatOf, paddingOf, spatialEntries } from './windows.js';

const resized = (interpolation: Interpolation): OpLowering => {
  return (call) => {
    const numbers = knownNumbers(call.input(1));
    const target =
      numbers === undefined
        ? { computedSizes: reshape(call.builder, cast(call.builder, call.input(1), 'int64'), [2]) }
        : { sizes: numbers };
    // Only nearest keeps the type of its input; the others compute in float32.
    const x =
      interpolation === 'nearest' || elementTypeOf(call.input(0)) === 'float64'
        ? call.input(0)
        : cast(call.builder, call.input(0), 'float32');
    return resize(call.builder, x, target, {
      interpolation,
      alignCorners: call.attributes.bool('align_corners', false),
      halfPixelCenters: call.attributes.bool('half_pixel_centers', false),
    });
  };
};

export const PICTURE_OPS: OpTable = {
  BatchToSpaceND: (call) => {
    const convolution = dilatedConvolution(call);
    if (convolution !== undefined) return convolution;
    return batchToSpace(call.builder, call.input(0), call.numbers(1, 'block shape'), pairs(call, 2, 'crops'));
  },
  DepthToSpace: (call) =>
    depthToSpace(call.builder, call.input(0), call.attributes.int('block_size'), dataFormatOf(call)),
  ExtractImagePatches: (call) => {
    return extractPatches(call.builder, call.input(0), spatialEntries(call, 'ksizes'), {
      strides: spatialEntries(call, 'strides'),
      dilations: spatialEntries(call, 'rates'),
      padding: paddingOf(call),
    });
  },
  MirrorPad: (call) => padded(call, { mode: mirrorMode(call) }),
  Pad: perPart((call) => padded(call, {})),
  PadV2: (call) => padded(call, { value: call.input(2) }),
  ResizeArea: resized('area'),
  ResizeBicubic: resized('bicubic'),
  ResizeBilinear: resized('bilinear'),
  ResizeNearestNeighbor: resized('nearest'),
  /** As tf.image.resize calls it: the whole picture, brought to its size by a kernel. */
  ScaleAndTranslate: (call) => {
    const interpolation = KERNELS[call.attributes.string('kernel_type', 'lanczos3')];
    if (interpolation === undefined || call.numbers(3, 'translation').some((distance) => distance !== 0)) {
      throw call.refuse('OP_VALUES', 'moves pictures, or has an unknown kernel', 'Resize with tf.image.resize.');
    }
    const x = cast(call.builder, call.input(0), 'float32');
    const antialias = call.attributes.bool('antialias', true);
    return resize(
      call.builder,
      x,
      { sizes: call.numbers(1, 'size') },
      { interpolation, antialias, halfPixelCenters: true },
    );
  },
  SpaceToBatchND: (call) => {
    const [x, blocks, paddings] = [call.input(0), call.numbers(1, 'block shape'), call.input(2)];
    const isKnown =
      knownNumbers(paddings) !== undefined &&
      shapeOf(x)
        .slice(1)
        .every((size) => typeof size === 'number');
    const batches = isKnown
      ? spaceToBatch(call.builder, x, blocks, pairs(call, 2, 'paddings'))
      : unwritten(call, 'cuts pictures whose sizes are open into blocks', {
          elementType: elementTypeOf(x),
          shape: shapeOf(x).map((size, axis) => (axis <= blocks.length ? undefined : size)),
        });
    return rememberSpace(batches, { x, blocks, paddings });
  },
  SpaceToDepth: (call) =>
    spaceToDepth(call.builder, call.input(0), call.attributes.int('block_size'), dataFormatOf(call)),
};

const KERNELS: Readonly<Record<string, Interpolation>> = {
  gaussian: 'gaussian',
  keyscubic: 'bicubic',
  lanczos3: 'lanczos3',
  lanczos5: 'lanczos5',
  mitchellcubic: 'mitchellcubic',
  triangle: 'bilinear',
};

function mirrorMode(call: OpCall): PadMode {
  return call.attributes.string('mode') === 'SYMMETRIC' ? 'symmetric' : 'reflect';
}

function pairs(call: OpCall, index: number, what: string): Widths {
  const numbers = call.numbers(index, what);
  return Array.from({ length: numbers.length / 2 }, (_, axis) => [numbers[2 * axis] ?? 0, numbers[2 * axis + 1] ?? 0]);
}

function padded(call: OpCall, options: PadOptions): Value {
  const { builder } = call;
  const [x, widths] = [call.input(0), call.input(1)];
  if (knownNumbers(widths) !== undefined) return pad(builder, x, pairs(call, 1, 'paddings'), options);
  // [rank, 2], a row before and after for each dimension; ONNX wants all before, then all after.
  const vector = reshape(builder, transpose(builder, cast(builder, widths, 'int64'), [1, 0]), [2 * rankOf(x)]);
  return padByVector(builder, x, vector, options);
}
