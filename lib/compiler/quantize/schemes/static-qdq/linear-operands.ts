/** The constant operands of Conv, ConvTranspose, Gemm and MatMul, and whether integer kernels can do with them. */
import type { StaticRecipe } from '../../../../artifact/recipe.js';
import type { Node } from '../../../ir/node.js';
import type { Tensor } from '../../../ir/tensor.js';
import { constantBehind } from '../../../passes/inferred-type.js';
import { isFiniteTensor } from '../../parameters/channels.js';

export interface LinearOperands {
  /** Input 1, where it is constant; a product of two activations has none. */
  readonly weight: Tensor | undefined;
  /** Axis of the weight that has a scale per index; undefined for one scale. */
  readonly axis: number | undefined;
  /** Input 2. */
  readonly bias: Tensor | undefined;
  /** What a Gemm multiplies the weight and the bias with. */
  readonly alpha: number;
  readonly beta: number;
}

export function linearOperands(node: Node, recipe: StaticRecipe): LinearOperands | string {
  const weight = constantBehind(node, 1);
  const bias = node.opType === 'MatMul' ? undefined : constantBehind(node, 2);
  const reason = problemOf(node, weight, bias);
  if (reason !== undefined) return reason;
  const isGemm = node.opType === 'Gemm';
  return {
    weight,
    axis: recipe.perChannel && weight !== undefined ? channelAxis(node, weight) : undefined,
    bias,
    alpha: isGemm ? node.float('alpha', 1) : 1,
    beta: isGemm ? node.float('beta', 1) : 1,
  };
}

function problemOf(node: Node, weight: Tensor | undefined, bias: Tensor | undefined): string | undefined {
  const name = node.describe();
  if (weight === undefined) {
    if (node.is('Conv', 'ConvTranspose')) return `the weights of ${name} are not constant`;
    if (node.float('alpha', 1) !== 1) return `${name} multiplies two activations by alpha`;
  } else {
    if (weight.elementType !== 'float32') return `the weights of ${name} are ${weight.elementType}`;
    if (weight.count === 0) return `the weights of ${name} are empty`;
    if (!isFiniteTensor(weight)) return `the weights of ${name} are not finite`;
    const alpha = node.float('alpha', 1);
    if (alpha !== 1 && !Number.isFinite(Math.fround(largest(weight) * alpha))) {
      return `alpha of ${name} takes weights out of float32`;
    }
  }
  if (node.opType === 'MatMul' || node.input(2) === undefined) return undefined;
  if (bias === undefined) return `the bias of ${name} is not constant`;
  if (!isFiniteTensor(bias)) return `the bias of ${name} is not finite`;
  // A Gemm's may also be a matrix, or one number per row.
  const perChannel = bias.dims.every((size, axis) => size === 1 || axis === bias.dims.length - 1);
  return perChannel && bias.count > 0 ? undefined : `the bias of ${name} is not one number per channel`;
}

function largest(weight: Tensor): number {
  return (weight.typed() as Float32Array).reduce((max, number) => Math.max(max, Math.abs(number)), 0);
}

/** Only matrices: onnxruntime refuses products with more than one scale on a stack of them when it runs. */
function channelAxis(node: Node, weight: Tensor): number | undefined {
  switch (node.opType) {
    case 'Conv':
      return 0;
    case 'ConvTranspose':
      return 1;
    case 'Gemm':
      return node.int('transB', 0) === 1 ? 0 : 1;
    default:
      return weight.dims.length === 2 ? 1 : undefined;
  }
}
