/** Dense, layers that move elements, layers that only train, and wrappers. */
import { binary, cast, compare, unary, where } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { dense } from '../../../lowering/matrix.js';
import { reshapeTo, type SizeOf } from '../../../lowering/open-reshape.js';
import { expand, flattenFromSecond, squeeze, transpose, unsqueeze } from '../../../lowering/rearrange.js';
import { reduce } from '../../../lowering/reduce.js';
import { rankOf, shapeOf, staticCount, staticSize } from '../../../lowering/shape.js';
import { type LayerCall, type LayerLowering, type LayerTable, type LayerTensor, withMask } from '../layer.js';
import { onlyInput } from '../only-input.js';
import { activated } from './activation.js';

/** At inference what came in, mask and all. */
const identity: LayerLowering = ({ inputs }) => inputs;

/** activation(x · kernel + bias) over the last dimension. */
const denseLayer: LayerLowering = (call) => {
  const { builder, config, weights } = call;
  const input = onlyInput(call);
  const useBias = config.boolean('use_bias', true);
  const { kernel, bias } = useBias
    ? weights.take(['kernel', 'bias'])
    : { ...weights.take(['kernel']), bias: undefined };
  const x = cast(builder, input.value, 'float32');
  const biasValue = bias === undefined ? undefined : builder.constant(bias, 'bias');
  const product = dense(builder, x, builder.constant(kernel, 'kernel'), biasValue);
  return [withMask(activated(call, product), input)];
};

/** Row by row with the channels last, whatever came in. */
const flatten: LayerLowering = (call) => {
  const { builder, config } = call;
  const { value } = onlyInput(call);
  const rank = rankOf(value);
  const isFirst = config.string('data_format', 'channels_last') === 'channels_first' && rank > 1;
  const axes = Array.from({ length: Math.max(0, rank - 2) }, (_, axis) => axis + 2);
  return [{ value: flattenFromSecond(builder, isFirst ? transpose(builder, value, [0, ...axes, 1]) : value) }];
};

/** The batch stays; at most one size of the rest is -1. */
const reshape: LayerLowering = (call) => {
  const { config } = call;
  const { value } = onlyInput(call);
  const raw = config.raw('target_shape');
  // Keras 3 takes None for -1.
  const target = Array.isArray(raw) ? (raw as unknown[]).map((size) => size ?? -1) : undefined;
  const isShape = target?.every((size) => Number.isSafeInteger(size) && Number(size) >= -1) === true;
  if (target === undefined || !isShape || target.filter((size) => size === -1).length > 1) {
    throw config.refuse('target_shape', 'Sizes must be whole numbers of at least 0, and at most one of them -1.');
  }
  return [{ value: reshapeRows(call, value, target as number[]) }];
};

function reshapeRows({ builder }: LayerCall, value: LayerTensor['value'], target: readonly number[]) {
  const count = staticCount(shapeOf(value).slice(1));
  const rest = target.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const isKnown = count !== undefined && rest > 0 && count % rest === 0;
  const sizes = target.map((size) => (size === -1 && isKnown ? count / rest : size));
  return reshapeTo(builder, value, [{ of: value, axis: 0 }, ...sizes]);
}

const permute: LayerLowering = (call) => {
  const { builder, config } = call;
  const { value } = onlyInput(call);
  const dims = config.integers('dims', rankOf(value) - 1);
  const isPermutation = [...dims].sort((a, b) => a - b).every((axis, index) => axis === index + 1);
  if (!isPermutation) throw config.refuse('dims', 'Each dimension behind the batch must be named once, from 1.');
  return [{ value: transpose(builder, value, [0, ...dims]) }];
};

/** [N, F] → [N, n, F]. */
const repeatVector: LayerLowering = (call) => {
  const { builder, config } = call;
  const [count = 1] = config.integers('n', 1);
  return [{ value: expand(builder, unsqueeze(builder, onlyInput(call).value, [1]), [1, count, 1]) }];
};

/** Steps of which every feature equals `mask_value` become zero, and are masked from here on. */
const masking: LayerLowering = (call) => {
  const { builder, config } = call;
  const { value } = onlyInput(call);
  const elementType = elementTypeOf(value);
  const differs = unary(
    builder,
    'Not',
    compare(builder, 'Equal', value, builder.scalar(config.number('mask_value', 0), elementType)),
  );
  const any = reduce(builder, 'ReduceMax', cast(builder, differs, 'float32'), [-1], true);
  const kept = cast(builder, any, 'bool');
  return [{ value: where(builder, kept, value, builder.scalar(0, elementType)), mask: squeeze(builder, kept, [-1]) }];
};

/** ConvNeXt's: x · gamma over the last dimension. */
const layerScale: LayerLowering = (call) => {
  const { builder, weights } = call;
  const { gamma } = weights.take(['gamma']);
  return [{ value: binary(builder, 'Mul', onlyInput(call).value, builder.constant(gamma, 'gamma')) }];
};

/**
 * The layer on every step alone. Steps become rows of the batch, which is the same for every layer that treats rows alike: all but
 * BatchNormalization in training do.
 */
const timeDistributed: LayerLowering = (call) => {
  const { builder, config, weights } = call;
  const input = onlyInput(call);
  const layer = config.object('layer');
  if (layer === undefined) throw config.refuse('layer', 'The wrapped layer is missing; save the model again.');
  const sizes = (of: LayerTensor['value'], from: number): SizeOf[] =>
    Array.from({ length: rankOf(of) - from }, (_, index) => ({ of, axis: index + from }));
  const rows = reshapeTo(builder, input.value, [-1, ...sizes(input.value, 2)]);
  const inner = call.lowerLayer({ ...layer, weights: weights.child('layer') }, [{ value: rows }]);
  return inner.map(({ value }) => {
    const steps = staticSize(input.value, 1);
    const batch = steps === undefined ? { of: input.value, axis: 0 } : -1;
    const restored = reshapeTo(builder, value, [batch, steps ?? { of: input.value, axis: 1 }, ...sizes(value, 1)]);
    return withMask(restored, input);
  });
};

export const coreLayers: LayerTable = {
  Dense: denseLayer,
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  Masking: masking,
  LayerScale: layerScale,
  TimeDistributed: timeDistributed,
  Identity: identity,
  Dropout: identity,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  SpatialDropout3D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  ActivityRegularization: identity,
};
