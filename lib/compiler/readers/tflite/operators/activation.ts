/** Activations and what normalizes along the channels. */
import { attribute } from '../../../ir/attribute.js';
import type { Value } from '../../../ir/value.js';
import { elu, gelu, hardSwish, leakyRelu, logSoftmax, prelu, softmax } from '../../../lowering/activation.js';
import { binary, clip, unary } from '../../../lowering/elementwise.js';
import { typeOf } from '../../../lowering/graph-builder.js';
import { unitNormalization } from '../../../lowering/normalization.js';
import { toChannelsFirst, toChannelsLast } from '../../../lowering/rearrange.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, type OperatorTable } from '../operator-table.js';

const bounded = (minimum: number, maximum: number) =>
  computing((call) => clip(call.builder, call.floatInput(0), minimum, maximum));

/** What keeps zeros from being divided by their norm: the root of 1e-6, which TensorFlow Lite has below the root. */
const LEAST_NORM = 1e-3;

export const activation: OperatorTable = {
  ELU: computing((call) => elu(call.builder, call.floatInput(0), 1)),
  GELU: computing((call) => gelu(call.builder, call.floatInput(0), call.options('GeluOptions').approximate)),
  HARD_SWISH: computing((call) => hardSwish(call.builder, call.floatInput(0))),
  L2_NORMALIZATION: computing((call) => {
    const result = unitNormalization(call.builder, call.floatInput(0), [-1], LEAST_NORM);
    return call.activated(result, call.options('L2NormOptions').activation);
  }),
  LEAKY_RELU: computing((call) => leakyRelu(call.builder, call.floatInput(0), call.options('LeakyReluOptions').alpha)),
  LOCAL_RESPONSE_NORMALIZATION: computing(locallyNormalized),
  LOGISTIC: computing((call) => unary(call.builder, 'Sigmoid', call.floatInput(0))),
  LOG_SOFTMAX: computing((call) => logSoftmax(call.builder, call.floatInput(0), -1)),
  PRELU: computing((call) => prelu(call.builder, call.floatInput(0), call.floatInput(1))),
  RELU: computing((call) => unary(call.builder, 'Relu', call.floatInput(0))),
  RELU6: bounded(0, 6),
  RELU_0_TO_1: bounded(0, 1),
  RELU_N1_TO_1: bounded(-1, 1),
  SOFTMAX: computing((call) => {
    const { beta } = call.options('SoftmaxOptions');
    const x = call.floatInput(0);
    return softmax(call.builder, beta === 1 ? x : binary(call.builder, 'Mul', x, call.builder.scalar(beta)), [-1]);
  }),
  TANH: computing((call) => unary(call.builder, 'Tanh', call.floatInput(0))),
};

/** x / (bias + alpha · Σ x²)^beta, over `radius` channels to either side; ONNX divides alpha by how many these are. */
function locallyNormalized(call: OperatorCall): Value {
  const { radius, bias, alpha, beta } = call.options('LocalResponseNormalizationOptions');
  const { builder } = call;
  const size = 2 * radius + 1;
  if (radius < 0 || radius > 2 ** 15) throw call.error('OPTIONS_INVALID', `has the radius ${radius}`);
  const first = toChannelsFirst(builder, call.floatInput(0));
  const attributes = {
    size: attribute.int(size),
    alpha: attribute.float(alpha * size),
    beta: attribute.float(beta),
    bias: attribute.float(bias),
  };
  return toChannelsLast(builder, builder.node('LRN', [first], typeOf(first), { attributes }));
}
