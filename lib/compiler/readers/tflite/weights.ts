/**
 * Weights and biases of convolutions and products. Three ways to store them: in the type that is computed with; quantized like the inputs
 * and outputs, which stay so (DequantizeLinear in front of the operator); quantized beside float32 inputs ("dynamic range"), where the real
 * weights are computed here. TensorFlow Lite's kernels quantize the inputs of these too, by their range in each run; we do not.
 */

import { attribute } from '../../ir/attribute.js';
import { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import { type GraphBuilder, typeOf } from '../../lowering/graph-builder.js';
import { transpose } from '../../lowering/rearrange.js';
import type { OperatorCall } from './operator-call.js';
import { dequantize, isQuantized } from './quantization.js';
import { biasForSecondRounding } from './reference-rounding.js';

/** A weight with its dimensions in another order; only what is stored is moved, so that the scales can be fused. */
export function weightOf(call: OperatorCall, index: number, permutation: readonly number[]): Value {
  const { builder, scope } = call;
  const tensor = call.inputTensor(index);
  if (tensor.shape.length !== permutation.length) {
    throw call.error('KERNEL_SHAPE', `has a weight of shape [${tensor.shape.join(', ')}]`);
  }
  if (!isQuantized(tensor)) return transpose(builder, scope.stored(tensor), permutation);
  if (call.quantizedOutput === undefined) return transpose(builder, scope.realConstant(tensor), permutation);
  const moved = transpose(builder, scope.stored(tensor), permutation);
  return dequantize(builder, moved, tensor, permutation.indexOf(tensor.quantization.dimension));
}

/** Undefined where there is none. @param at the positions of the operator's inputs */
export function biasOf(
  call: OperatorCall,
  at: { readonly input: number; readonly weight: number; readonly bias: number },
): Value | undefined {
  if (!call.hasInput(at.bias)) return undefined;
  const [input, weight, bias] = [call.inputTensor(at.input), call.inputTensor(at.weight), call.inputTensor(at.bias)];
  const stored = call.scope.stored(bias);
  if (stored.elementType === 'float32') return stored;
  if (!isQuantized(input) || !isQuantized(weight)) {
    throw call.error('QUANTIZATION_INVALID', `has a bias of type ${bias.type} and no scales for it`);
  }
  // What the kernels add up has this scale, whatever the bias itself is declared to have.
  const scales = weight.quantization.scales.map((scale) => Math.fround(scale * (input.quantization.scales[0] ?? 1)));
  if (stored.elementType === 'int32') return dequantizedBias(call.builder, roundedBias(call, stored, scales), scales);
  const numbers = call.constantNumbers(at.bias);
  if (numbers === undefined) throw call.error('CONSTANT_NEEDED', `computes a bias of type ${bias.type}`);
  return call.builder.floats(numbers.map((number, index) => number * (scales[index] ?? scales[0] ?? 1)));
}

/** With what the reference kernels' second rounding adds. */
function roundedBias({ builder, quantizedOutput }: OperatorCall, bias: Value, scales: readonly number[]): Value {
  const { initializer } = bias;
  if (initializer === undefined || quantizedOutput === undefined) return bias;
  const added = biasForSecondRounding(scales, quantizedOutput);
  if (!added.includes(1)) return bias;
  const numbers = initializer.numbers().map((number, index) => number + (added[index] ?? added[0] ?? 0));
  return builder.constant(Tensor.fromNumbers('int32', initializer.dims, numbers), bias.name);
}

function dequantizedBias(builder: GraphBuilder, stored: Value, scales: readonly number[]): Value {
  const { shape } = typeOf(stored);
  const isPerChannel = scales.length > 1;
  const inputs = [stored, builder.floats(scales, isPerChannel ? [scales.length] : [])];
  const attributes = isPerChannel ? { axis: attribute.int(0) } : {};
  return builder.node('DequantizeLinear', inputs, { elementType: 'float32', shape }, { attributes });
}
