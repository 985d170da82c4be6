/** Layers that prepare data, and those that vary it in training only. */
import { Tensor } from '../../../ir/tensor.js';
import { binary, cast } from '../../../lowering/elementwise.js';
import { normalizedAxis, rankOf, requiredSize } from '../../../lowering/shape.js';
import { configNumbers } from '../config-numbers.js';
import { type LayerCall, type LayerLowering, type LayerTable, withMask } from '../layer.js';
import { onlyInput } from '../only-input.js';

/** x · scale + offset, in float32 whatever came in; numbers, or one for each channel (the last dimension). */
const rescaling: LayerLowering = (call) => {
  const { builder, config } = call;
  const input = onlyInput(call);
  const x = cast(builder, input.value, 'float32');
  const scale = builder.constant(configNumbers(config, 'scale', 1));
  const offset = configNumbers(config, 'offset', 0);
  const scaled = binary(builder, 'Mul', x, scale);
  const isZero = offset.dims.length === 0 && offset.numbers()[0] === 0;
  return [withMask(isZero ? scaled : binary(builder, 'Add', scaled, builder.constant(offset)), input)];
};

/** Keras's epsilon: no deviation counts as less. */
const EPSILON = 1e-7;

/** (x − mean) / max(√variance, 1e-7), or its inverse; mean and variance over the axes that are not kept, learned or given. */
const normalization: LayerLowering = (call) => {
  const { builder, config } = call;
  const input = onlyInput(call);
  const x = cast(builder, input.value, 'float32');
  const { mean, variance } = statistics(call);
  const deviation = variance.numbers().map((each) => Math.max(Math.fround(Math.sqrt(each)), EPSILON));
  const center = builder.constant(mean, 'mean');
  const scale = builder.floats(deviation, variance.dims);
  const result = config.boolean('invert', false)
    ? binary(builder, 'Add', center, binary(builder, 'Mul', x, scale))
    : binary(builder, 'Div', binary(builder, 'Sub', x, center), scale);
  return [withMask(result, input)];
};

function statistics(call: LayerCall): { readonly mean: Tensor; readonly variance: Tensor } {
  const { config, weights } = call;
  const { value } = onlyInput(call);
  const rank = rankOf(value);
  const raw = config.raw('axis');
  const axes = raw === null ? [] : config.integers('axis', Array.isArray(raw) ? raw.length : 1, [-1]);
  const kept = [...new Set(axes.map((axis) => normalizedAxis(axis, rank)))].sort((a, b) => a - b);
  const isGiven = config.has('mean');
  const given = isGiven
    ? { mean: configNumbers(config, 'mean'), variance: configNumbers(config, 'variance') }
    : weights.take(['mean', 'variance', 'count']);
  const placed = (tensor: Tensor) => {
    const dims = Array.from({ length: rank }, () => 1);
    if (tensor.count === 1) return Tensor.fromNumbers('float32', dims, tensor.numbers());
    if (!isGiven) for (const axis of kept) dims[axis] = requiredSize(value, axis, 'Normalization');
    // Given statistics are aligned with the kept axes from the right.
    else
      for (const [index, size] of tensor.dims.entries())
        dims[kept[kept.length - tensor.dims.length + index] ?? 0] = size;
    return Tensor.fromTyped('float32', dims, tensor.typed());
  };
  return { mean: placed(given.mean), variance: placed(given.variance) };
}

/** At inference the picture that came in, as float32. */
const augmentation: LayerLowering = (call) => {
  return call.inputs.map((input) => withMask(cast(call.builder, input.value, 'float32'), input));
};

export const preprocessingLayers: LayerTable = {
  Rescaling: rescaling,
  Normalization: normalization,
  AugMix: augmentation,
  MixUp: augmentation,
  CutMix: augmentation,
  RandAugment: augmentation,
  RandomBrightness: augmentation,
  RandomColorDegeneration: augmentation,
  RandomColorJitter: augmentation,
  RandomContrast: augmentation,
  RandomElasticTransform: augmentation,
  RandomErasing: augmentation,
  RandomFlip: augmentation,
  RandomGaussianBlur: augmentation,
  RandomGrayscale: augmentation,
  RandomHeight: augmentation,
  RandomHue: augmentation,
  RandomInvert: augmentation,
  RandomPerspective: augmentation,
  RandomPosterization: augmentation,
  RandomRotation: augmentation,
  RandomSaturation: augmentation,
  RandomSharpness: augmentation,
  RandomShear: augmentation,
  RandomTranslation: augmentation,
  RandomWidth: augmentation,
  RandomZoom: augmentation,
};
