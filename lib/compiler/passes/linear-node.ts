/** Operators that multiply by constant weights and add a constant bias: which weight belongs to which channel. */
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { inferRank } from './inferred-type.js';

export const LINEAR_OPERATORS = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'] as const;

export interface LinearNode {
  readonly node: Node;
  /** float32. */
  readonly weight: Tensor;
  /** Per output channel, multiplied by what the operator multiplies it with; undefined for no bias. */
  readonly bias: Float64Array | undefined;
  /** False for MatMul. */
  readonly takesBias: boolean;
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** The axis that its channels are on, in its input and its output, counted from the end: 1 is the last. */
  readonly channelAxisFromEnd: number;
  /** The rank of its input and its output, or as much of it as is known. */
  readonly minimumRank: number;
  /** The input channel that element `index` of the weights multiplies. */
  inputChannelOf(index: number): number;
  /** The output channel that element `index` of the weights adds to. */
  outputChannelOf(index: number): number;
}

/** Reads a Conv, ConvTranspose, Gemm or MatMul with constant float32 weights on the right. A string says why it is none. */
export function linearNodeOf(node: Node): LinearNode | string {
  if (!node.is(...LINEAR_OPERATORS)) return `${node.describe()} has no weights to change`;
  const weight = node.constantInput(1);
  if (weight === undefined) return `the weights of ${node.describe()} are not constant`;
  if (weight.elementType !== 'float32') return `the weights of ${node.describe()} are ${weight.elementType}`;
  const layout = node.is('Conv', 'ConvTranspose') ? convolution(node, weight) : product(node, weight);
  if (typeof layout === 'string') return layout;
  const bias = biasOf(node, layout.outputChannels);
  if (typeof bias === 'string') return bias;
  return { node, weight, bias, takesBias: node.opType !== 'MatMul', ...layout };
}

type Layout = Pick<
  LinearNode,
  'inputChannels' | 'outputChannels' | 'channelAxisFromEnd' | 'minimumRank' | 'inputChannelOf' | 'outputChannelOf'
>;

function convolution(node: Node, weight: Tensor): Layout | string {
  const [first, second, ...kernel] = weight.dims;
  const groups = node.int('group', 1);
  if (first === undefined || second === undefined || first % groups !== 0) {
    return `the weights of ${node.describe()} do not have the shape that its groups need`;
  }
  const window = kernel.reduce((product, size) => product * size, 1);
  const perGroup = first / groups;
  const outer = (index: number) => Math.floor(index / (window * second));
  const inner = (index: number) => Math.floor(outer(index) / perGroup) * second + (Math.floor(index / window) % second);
  const axis = { channelAxisFromEnd: weight.dims.length - 1, minimumRank: weight.dims.length };
  return node.opType === 'Conv'
    ? {
        ...axis,
        outputChannels: first,
        inputChannels: second * groups,
        outputChannelOf: outer,
        inputChannelOf: inner,
      }
    : {
        ...axis,
        outputChannels: second * groups,
        inputChannels: first,
        outputChannelOf: inner,
        inputChannelOf: outer,
      };
}

function product(node: Node, weight: Tensor): Layout | string {
  const [rows, columns] = weight.dims;
  if (rows === undefined || columns === undefined || weight.dims.length !== 2) {
    return `the weights of ${node.describe()} are not a matrix`;
  }
  if (node.int('transA', 0) === 1) return `${node.describe()} transposes its input`;
  const row = (index: number) => Math.floor(index / columns);
  const column = (index: number) => index % columns;
  const transposed = node.int('transB', 0) === 1;
  return {
    channelAxisFromEnd: 1,
    minimumRank: node.opType === 'Gemm' ? 2 : (inferRank(node.input(0)) ?? 1),
    inputChannels: transposed ? columns : rows,
    outputChannels: transposed ? rows : columns,
    inputChannelOf: transposed ? column : row,
    outputChannelOf: transposed ? row : column,
  };
}

function biasOf(node: Node, outputChannels: number): Float64Array | string | undefined {
  if (node.input(2) === undefined) return undefined;
  const bias = node.constantInput(2);
  if (bias === undefined) return `the bias of ${node.describe()} is not constant`;
  if (bias.elementType !== 'float32' || (bias.count !== outputChannels && bias.count !== 1)) {
    return `the bias of ${node.describe()} is not one number per channel`;
  }
  // A Gemm's C may be [M, 1]: per row, not per channel.
  const last = bias.dims.at(-1) ?? 1;
  if (last !== bias.count) return `the bias of ${node.describe()} is not one number per channel`;
  const beta = node.opType === 'Gemm' ? node.float('beta', 1) : 1;
  const numbers = bias.numbers();
  return Float64Array.from({ length: outputChannels }, (_, channel) => {
    return beta * (numbers[bias.count === 1 ? 0 : channel] ?? 0);
  });
}

/** Operators that work on each element alone. */
const ELEMENTWISE = [
  ...['Clip', 'Elu', 'Erf', 'Gelu', 'HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu', 'Mish', 'Neg', 'Relu'],
  ...['Selu', 'Sigmoid', 'Softplus', 'Tanh'],
] as const;

/** The size of a value's axis, counted from the end, if its type or the weights that it comes from tell. */
export function inferChannels(value: Value, axisFromEnd: number): number | undefined {
  for (let current: Value | undefined = value; current !== undefined; ) {
    const shape: readonly Dimension[] | undefined =
      current.type?.kind === 'tensor' ? current.type.shape : current.initializer?.dims;
    const size = shape?.at(-axisFromEnd);
    if (typeof size === 'number') return size;
    const node: Node | undefined = current.producer;
    if (node?.is(...ELEMENTWISE)) current = node.input(0);
    else {
      const linear = node?.is(...LINEAR_OPERATORS) ? linearNodeOf(node) : undefined;
      return typeof linear === 'object' && linear.channelAxisFromEnd === axisFromEnd
        ? linear.outputChannels
        : undefined;
    }
  }
  return undefined;
}
