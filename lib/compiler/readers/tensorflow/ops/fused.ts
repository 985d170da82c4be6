/** What grappler and TensorFlow.js's converter put behind a convolution or a product of matrices, in one op with it. */
import type { Value } from '../../../ir/value.js';
import { elu, gelu, leakyRelu, prelu } from '../../../lowering/activation.js';
import { binary, clip, unary } from '../../../lowering/elementwise.js';
import { batchNormalization } from '../../../lowering/normalization.js';
import { reshape } from '../../../lowering/rearrange.js';
import { rankOf, requiredSize } from '../../../lowering/shape.js';
import type { DataFormat } from '../../../lowering/sliding-window.js';
import type { OpCall } from '../op-call.js';

/**
 * `fused_ops` in their order: BiasAdd and FusedBatchNorm take their operands from the inputs behind the op's own; so does Prelu.
 * @param first the number of the op's own inputs
 */
export function fused(call: OpCall, product: Value, first: number, dataFormat: DataFormat): Value {
  const { builder, attributes } = call;
  let result = product;
  let next = first;
  for (const name of attributes.strings('fused_ops', [])) {
    switch (name) {
      case 'BiasAdd':
        result = addBias(call, result, call.input(next++), dataFormat);
        break;
      case 'FusedBatchNorm': {
        const [gamma, beta, mean, variance] = [0, 1, 2, 3].map((index) => call.input(next + index)) as [
          Value,
          Value,
          Value,
          Value,
        ];
        next += 4;
        const axis = dataFormat === 'channels_first' ? 1 : -1;
        const epsilon = attributes.float('epsilon', 0.0001);
        result = batchNormalization(builder, result, { axis, epsilon, gamma, beta, mean, variance });
        break;
      }
      case 'Elu':
        result = elu(builder, result, 1);
        break;
      case 'LeakyRelu':
        result = leakyRelu(builder, result, attributes.float('leakyrelu_alpha', 0.2));
        break;
      case 'Prelu':
        result = prelu(builder, result, call.input(next++));
        break;
      case 'Relu':
        result = unary(builder, 'Relu', result);
        break;
      case 'Relu6':
        result = clip(builder, result, 0, 6);
        break;
      case 'Sigmoid':
      case 'Tanh':
        result = unary(builder, name, result);
        break;
      case 'GeluApproximate':
      case 'GeluExact':
        result = gelu(builder, result, name === 'GeluApproximate');
        break;
      case 'linear':
        break;
      default:
        throw call.refuse(
          'OP_FUSED',
          `has '${name}' fused into it, which is not known`,
          'Export the model without grappler.',
        );
    }
  }
  return result;
}

/** One number per channel. */
export function addBias(call: OpCall, x: Value, bias: Value, dataFormat: DataFormat): Value {
  const rank = rankOf(x);
  if (dataFormat === 'channels_last' || rank < 3) return binary(call.builder, 'Add', x, bias);
  const sizes = [requiredSize(bias, 0, call.describe()), ...new Array<number>(rank - 2).fill(1)];
  return binary(call.builder, 'Add', x, reshape(call.builder, bias, sizes));
}
