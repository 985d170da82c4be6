/** Operators that compute scale · x + shift with constants, one pair for all elements or one per channel. */
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import type { LinearNode } from './linear-node.js';

export const AFFINE_OPERATORS = ['Mul', 'Div', 'Add', 'Sub', 'BatchNormalization'] as const;

export interface Affine {
  /** What it is applied to. */
  readonly data: Value;
  /** One number, or one per channel. */
  readonly scale: Float64Array;
  /** As long as scale. */
  readonly shift: Float64Array;
}

/**
 * Reads Mul, Div, Add, Sub with one constant operand, or BatchNormalization for inference, against the channels of `linear`.
 * A string says why the node is not of that kind; undefined that it is none of these operators or has no constant operand.
 */
export function affineOf(node: Node, linear: LinearNode, channelCount: number): Affine | string | undefined {
  if (node.is('BatchNormalization')) return batchNormalization(node, linear, channelCount);
  if (!node.is('Mul', 'Div', 'Add', 'Sub') || node.inputs.length !== 2) return undefined;
  const position = node.constantInput(1) !== undefined ? 1 : 0;
  const constant = node.constantInput(position);
  const data = node.input(1 - position);
  if (constant === undefined || data === undefined) return undefined;
  if (node.is('Div') && position === 0) return `${node.describe()} divides by its data`;
  const vector = perChannel(constant, linear, channelCount);
  if (typeof vector === 'string') return `the constant of ${node.describe()} ${vector}`;
  switch (node.opType) {
    case 'Mul':
      return { data, scale: vector, shift: vector.map(() => 0) };
    case 'Div':
      return { data, scale: vector.map((value) => 1 / value), shift: vector.map(() => 0) };
    case 'Add':
      return { data, scale: vector.map(() => 1), shift: vector };
    default:
      return position === 1
        ? { data, scale: vector.map(() => 1), shift: vector.map((value) => -value) }
        : { data, scale: vector.map(() => -1), shift: vector };
  }
}

/** The number for a channel in a vector of one number, or of one per channel. */
export function elementOf(vector: Float64Array, channel: number): number {
  return vector[vector.length === 1 ? 0 : channel] ?? 0;
}

/** `second` after `first`. */
export function compose(first: Affine, second: Affine): Affine {
  const length = Math.max(first.scale.length, second.scale.length);
  const channels = Array.from({ length }, (_, channel) => channel);
  return {
    data: first.data,
    scale: Float64Array.from(channels, (channel) => elementOf(first.scale, channel) * elementOf(second.scale, channel)),
    shift: Float64Array.from(
      channels,
      (channel) =>
        elementOf(first.shift, channel) * elementOf(second.scale, channel) + elementOf(second.shift, channel),
    ),
  };
}

/** The constant's numbers if it broadcasts as one number, or along the channels alone and without widening anything. */
function perChannel(constant: Tensor, linear: LinearNode, channelCount: number): Float64Array | string {
  if (constant.elementType !== 'float32') return `is ${constant.elementType}`;
  const { dims, count } = constant;
  if (dims.length > linear.minimumRank) return 'may have more dimensions than the data';
  if (count === 1) return Float64Array.from(constant.numbers());
  if (count !== channelCount || dims[dims.length - linear.channelAxisFromEnd] !== count) {
    return 'does not have one number per channel';
  }
  return Float64Array.from(constant.numbers());
}

/** y = (x - mean) / sqrt(var + epsilon) · scale + B, per channel on axis 1. */
function batchNormalization(node: Node, linear: LinearNode, channelCount: number): Affine | string {
  const data = node.input(0);
  const parameters = [1, 2, 3, 4].map((index) => node.constantInput(index));
  if (
    data === undefined ||
    node.outputs.slice(1).some((value) => value !== undefined) ||
    node.int('training_mode', 0)
  ) {
    return `${node.describe()} is set for training`;
  }
  if (node.int('spatial', 1) !== 1) return `${node.describe()} normalizes each feature on its own`;
  if (linear.minimumRank !== linear.channelAxisFromEnd + 1)
    return `${node.describe()} may not have its channels where the weights do`;
  const [scale, offset, mean, variance] = parameters.map((tensor) =>
    tensor?.elementType === 'float32' && tensor.count === channelCount ? tensor.numbers() : undefined,
  );
  if (scale === undefined || offset === undefined || mean === undefined || variance === undefined) {
    return `the parameters of ${node.describe()} are not constant float32, one per channel`;
  }
  const epsilon = node.float('epsilon', 1e-5);
  const factor = Float64Array.from(scale, (value, channel) => value / Math.sqrt((variance[channel] ?? 0) + epsilon));
  return {
    data,
    scale: factor,
    shift: Float64Array.from(offset, (value, channel) => value - (mean[channel] ?? 0) * (factor[channel] ?? 0)),
  };
}
