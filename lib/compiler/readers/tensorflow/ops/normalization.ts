/** Normalizations. */
import { attribute } from '../../../ir/attribute.js';
import type { Value } from '../../../ir/value.js';
import { binary, unary } from '../../../lowering/elementwise.js';
import { elementTypeOf, typeOf } from '../../../lowering/graph-builder.js';
import { batchNormalization } from '../../../lowering/normalization.js';
import { reshape, toChannelsFirst, toChannelsLast } from '../../../lowering/rearrange.js';
import { moments } from '../../../lowering/reduce.js';
import { rankOf, requiredSize } from '../../../lowering/shape.js';
import type { OpCall, OpTable } from '../op-call.js';
import { dataFormatOf } from './windows.js';

export const NORMALIZATION_OPS: OpTable = {
  FusedBatchNorm: (call) => normalized(call),
  FusedBatchNormV2: (call) => normalized(call),
  FusedBatchNormV3: (call) => normalized(call),
  LRN: (call) => localResponse(call),
};

/** Outputs: the result, mean and variance, and what only a gradient reads. */
function normalized(call: OpCall): readonly (Value | undefined)[] {
  const { builder, attributes } = call;
  const x = call.input(0);
  const [gamma, beta] = [call.input(1), call.input(2)];
  const epsilon = attributes.float('epsilon', 0.0001);
  const axis = dataFormatOf(call) === 'channels_first' ? 1 : rankOf(x) - 1;
  if (!attributes.bool('is_training', true)) {
    const [mean, variance] = [call.input(3), call.input(4)];
    return [batchNormalization(builder, x, { axis, epsilon, gamma, beta, mean, variance }), mean, variance];
  }
  // A model exported in training mode: statistics of the batch.
  const axes = Array.from({ length: rankOf(x) }, (_, each) => each).filter((each) => each !== axis);
  const { mean, variance } = moments(builder, x, axes);
  const channels = requiredSize(gamma, 0, call.describe());
  const along = (vector: Value) => {
    return axis === rankOf(x) - 1
      ? vector
      : reshape(builder, vector, [channels, ...new Array<number>(rankOf(x) - 2).fill(1)]);
  };
  const deviation = unary(
    builder,
    'Sqrt',
    binary(builder, 'Add', variance, builder.scalar(epsilon, elementTypeOf(variance))),
  );
  const scaled = binary(
    builder,
    'Mul',
    binary(builder, 'Div', binary(builder, 'Sub', x, mean), deviation),
    along(gamma),
  );
  const flat = [mean, variance].map((each) => reshape(builder, each, [channels]));
  return [binary(builder, 'Add', scaled, along(beta)), ...flat];
}

/** x / (bias + alpha · Σ x²)^beta over channels at most `depth_radius` away; ONNX's alpha is of their mean. */
function localResponse(call: OpCall): Value {
  const { attributes, builder } = call;
  const first = toChannelsFirst(builder, call.input(0));
  const size = 2 * attributes.int('depth_radius', 5) + 1;
  const result = builder.node('LRN', [first], typeOf(first), {
    attributes: {
      alpha: attribute.float(attributes.float('alpha', 1) * size),
      beta: attribute.float(attributes.float('beta', 0.5)),
      bias: attribute.float(attributes.float('bias', 1)),
      size: attribute.int(size),
    },
  });
  return toChannelsLast(builder, result);
}
