/** Keras's layers that change the size of pictures, sequences and volumes. */
import type { Value } from '../../../ir/value.js';
import { centerCrop, cropToAspectRatio, padToAspectRatio } from '../../../lowering/aspect-ratio.js';
import { cast, clip, unary } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { type Interpolation, resize } from '../../../lowering/resize.js';
import { staticSize } from '../../../lowering/shape.js';
import type { LayerCall, LayerLowering, LayerTable, LayerTensor } from '../layer.js';
import type { LayerConfig } from '../layer-config.js';
import { onlyInput } from '../only-input.js';
import { dataFormatOf, pictureAxes } from './spatial.js';

export const resizingLayers: LayerTable = {
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
  Resizing: resizing,
  CenterCrop: cropping,
};

/** tf.image.ResizeMethod. */
export const INTERPOLATIONS: readonly Interpolation[] = [
  'nearest',
  'bilinear',
  'bicubic',
  'lanczos3',
  'lanczos5',
  'area',
  'gaussian',
  'mitchellcubic',
];

function interpolationOf(config: LayerConfig, fallback: Interpolation): Interpolation {
  const name = config.string('interpolation', fallback).toLowerCase();
  const interpolation = INTERPOLATIONS.find((each) => each === name);
  if (interpolation !== undefined) return interpolation;
  throw config.refuse('interpolation', `Known are ${INTERPOLATIONS.join(', ')}.`);
}

/** Repeats elements; UpSampling2D may interpolate in place of that, with half-pixel centers. */
function upSampling(rank: number): LayerLowering {
  return (call) => {
    const { builder, config } = call;
    // In files of Keras 1 and 2, the size of UpSampling1D is called so too.
    const factors = config.integers('size', rank, Array(rank).fill(2));
    const interpolation = rank === 2 ? interpolationOf(config, 'nearest') : 'nearest';
    const options = { interpolation, halfPixelCenters: true, dataFormat: dataFormatOf(config) };
    return [{ value: resize(builder, onlyInput(call).value, { factors }, options) }];
  };
}

/** Keras 3 keeps whole numbers whole: it rounds half to even, and clips. Keras 2 makes them float32. */
function resizing(call: LayerCall): readonly LayerTensor[] {
  const { builder, config } = call;
  const x = onlyInput(call).value;
  const resized = resizedPicture(builder, x, [config.number('height'), config.number('width')], config);
  const type = elementTypeOf(x);
  const range = INTEGER_RANGES[type];
  if (range === undefined) return [{ value: resized }];
  if (call.kerasMajorVersion < 3) return [{ value: cast(builder, resized, 'float32') }];
  if (elementTypeOf(resized) === type) return [{ value: resized }];
  return [{ value: cast(builder, clip(builder, unary(builder, 'Round', resized), ...range), type) }];
}

/**
 * A picture of another size, by the options that the layer Resizing and `keras.ops.image.resize` have in common. What is interpolated is
 * float32.
 * @throws ReaderError LAYER_OPTION_UNSUPPORTED, and LoweringErrors of `resize`
 */
export function resizedPicture(
  builder: GraphBuilder,
  x: Value,
  size: readonly [number, number],
  config: LayerConfig,
): Value {
  const dataFormat = dataFormatOf(config);
  const axes = pictureAxes(4, dataFormat);
  const interpolation = interpolationOf(config, 'bilinear');
  let picture = x;
  if (config.boolean('crop_to_aspect_ratio', false)) picture = cropToAspectRatio(builder, picture, axes, size);
  else if (config.boolean('pad_to_aspect_ratio', false)) {
    if (config.string('fill_mode', 'constant') !== 'constant') throw config.refuse('fill_mode', "Use 'constant'.");
    picture = padToAspectRatio(builder, picture, axes, size, config.number('fill_value', 0));
  }
  const antialias = config.boolean('antialias', false);
  return resize(
    builder,
    interpolation === 'nearest' ? picture : asFloat(builder, picture),
    { sizes: size },
    { interpolation, halfPixelCenters: true, antialias, dataFormat },
  );
}

const INTEGER_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** The middle of a picture; a picture that is smaller is resized (bilinear) to what covers the target, and cropped. */
function cropping(call: LayerCall): readonly LayerTensor[] {
  const { builder, config } = call;
  const dataFormat = dataFormatOf(config);
  const size = [config.number('height'), config.number('width')] as const;
  const axes = pictureAxes(4, dataFormat);
  const x = asFloat(builder, onlyInput(call).value);
  const isSmaller = axes.some((axis, index) => (staticSize(x, axis) ?? Number.POSITIVE_INFINITY) < Number(size[index]));
  if (!isSmaller) return [{ value: centerCrop(builder, x, axes, size) }];
  const cropped = cropToAspectRatio(builder, x, axes, size);
  return [{ value: resize(builder, cropped, { sizes: size }, { halfPixelCenters: true, dataFormat }) }];
}

/** Keras casts to the type that it computes in. */
function asFloat(builder: GraphBuilder, x: Value): Value {
  return elementTypeOf(x) === 'float32' || elementTypeOf(x) === 'float64' ? x : cast(builder, x, 'float32');
}
