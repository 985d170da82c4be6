/**
 * What a quantized node reads and returns. The table follows the optimizer of onnxruntime 1.30, as its optimized graphs show: what it turns
 * into an integer kernel, what it lets pass on integers, and what stays in float32 between two quantized neighbours.
 */
import type { StaticRecipe } from '../../../../artifact/recipe.js';
import type { Node } from '../../../ir/node.js';
import { constantBehind, inferElementType } from '../../../passes/inferred-type.js';
import { clipBounds } from '../../../passes/pattern.js';
import { isFiniteTensor } from '../../parameters/channels.js';
import { type LinearOperands, linearOperands } from './linear-operands.js';

export interface Operator {
  /** Inputs that carry activations. */
  readonly data: readonly number[];
  readonly linear: LinearOperands | undefined;
  /**
   * Where the output's parameters come from: a range of its own, the first input's parameters, the fixed range from 0 to 1, or a range of
   * its own that serves the input too (`clamped`: what a Relu or Clip cuts off need not be represented in front of it).
   */
  readonly output: 'own' | 'shared' | 'unit' | 'clamped';
  /** onnxruntime has a kernel on 8-bit integers for it; others compute in float32 between DequantizeLinear and QuantizeLinear. */
  readonly isFused: boolean;
  /** Whether the output is quantized for the node's own sake, or only if a quantized node reads it. */
  readonly quantizesOutput: 'always' | 'when-read';
  /**
   * What has to be quantized anyway for it to be worthwhile: nothing, what it reads, or what it reads or returns. What narrows a range
   * or drops elements had better be quantized after than before.
   */
  readonly follows: 'nothing' | 'input' | 'neighbour';
}

const OWN = { linear: undefined, output: 'own', isFused: true, quantizesOutput: 'always', follows: 'nothing' } as const;
const SHARED = { ...OWN, data: [0], output: 'shared', follows: 'neighbour' } as const;
const NARROWING = { ...SHARED, follows: 'input' } as const;
/** Computed in float32, and exact on the input's integers: quantized for the sake of what comes after. */
const CARRIED = { ...SHARED, isFused: false, quantizesOutput: 'when-read', follows: 'input' } as const;
/** Computed in float32 on numbers of its own: its neighbours quantize what they give and take. */
const PASSIVE = { ...OWN, data: [], isFused: false, quantizesOutput: 'when-read', follows: 'neighbour' } as const;

const TABLE: Readonly<Record<string, Operator>> = {
  Add: { ...OWN, data: [0, 1] },
  Mul: { ...OWN, data: [0, 1] },
  AveragePool: { ...OWN, data: [0] },
  GlobalAveragePool: { ...OWN, data: [0] },
  LeakyRelu: { ...OWN, data: [0] },
  Sigmoid: { ...OWN, data: [0] },
  Softmax: { ...OWN, data: [0], output: 'unit' },
  Where: { ...OWN, data: [1, 2], follows: 'neighbour' },
  Relu: { ...OWN, data: [0], output: 'clamped', isFused: false, follows: 'input' },
  Clip: { ...OWN, data: [0], output: 'clamped', isFused: false, follows: 'input' },
  DepthToSpace: SHARED,
  Expand: SHARED,
  Flatten: SHARED,
  Gather: NARROWING,
  Identity: SHARED,
  MaxPool: NARROWING,
  ReduceMax: NARROWING,
  Reshape: SHARED,
  Slice: NARROWING,
  Split: SHARED,
  Squeeze: SHARED,
  Tile: SHARED,
  Transpose: SHARED,
  Unsqueeze: SHARED,
  GlobalMaxPool: CARRIED,
  SpaceToDepth: CARRIED,
  HardSigmoid: PASSIVE,
  HardSwish: PASSIVE,
};

/** What the node is to static quantization, or why it cannot be quantized. */
export function operatorOf(node: Node, recipe: StaticRecipe): Operator | string {
  if (node.domain !== '') return `${node.describe()} is no standard operator`;
  const operator = roleOf(node, recipe);
  if (typeof operator === 'string') return operator;
  const { data } = operator;
  if (data.length > 0 && data.every((index) => constantBehind(node, index) !== undefined)) {
    return `${node.describe()} reads nothing but constants`;
  }
  for (const index of data.length > 0 ? data : [0]) {
    const constant = constantBehind(node, index);
    if (constant?.elementType === 'float32' && !isFiniteTensor(constant)) {
      return `input ${index} of ${node.describe()} is not finite`;
    }
    const elementType = inferElementType(node.input(index));
    if (elementType === 'float32') continue;
    return `input ${index} of ${node.describe()} is ${elementType ?? 'of unknown type'}`;
  }
  return operator;
}

/** Whether the node, quantized or not, returns nothing that its first input does not span. */
export function sharesInput(node: Node): boolean {
  if (node.domain !== '' || node.input(0) === undefined) return false;
  if (node.is('Pad')) return padsWithinRange(node);
  if (node.is('Resize')) return node.string('mode', 'nearest') === 'nearest';
  return TABLE[node.opType]?.output === 'shared';
}

function roleOf(node: Node, recipe: StaticRecipe): Operator | string {
  switch (node.opType) {
    case 'Conv':
    case 'ConvTranspose':
    case 'Gemm':
    case 'MatMul':
      return linearOperator(node, recipe);
    case 'Concat':
      return { ...OWN, data: node.inputs.map((_, index) => index), follows: 'neighbour' };
    case 'Clip':
      return clipBounds(node) === undefined ? `the bounds of ${node.describe()} are computed` : (TABLE.Clip ?? '');
    case 'MaxPool':
      return node.outputs[1] === undefined ? NARROWING : `${node.describe()} also returns indices`;
    case 'Gather':
      if (constantBehind(node, 0) === undefined) return NARROWING;
      return `${node.describe()} reads a constant table, which int8-embedding is for`;
    case 'Pad':
      return padsWithinRange(node) ? CARRIED : PASSIVE;
    case 'Resize':
      return node.string('mode', 'nearest') === 'nearest' ? SHARED : PASSIVE;
    default:
      return TABLE[node.opType] ?? `onnxruntime has no ${node.opType} on 8-bit integers`;
  }
}

function linearOperator(node: Node, recipe: StaticRecipe): Operator | string {
  const linear = linearOperands(node, recipe);
  if (typeof linear === 'string') return linear;
  const data = linear.weight === undefined ? [0, 1] : [0];
  if (node.opType === 'Conv') return { ...OWN, data, linear };
  const isFused = node.opType !== 'ConvTranspose';
  // A product also has a kernel that returns float32.
  return { ...OWN, data, linear, isFused, quantizesOutput: 'when-read' };
}

/** Whether the padding is 0, which every range has, or copies of what is there. */
function padsWithinRange(node: Node): boolean {
  if (node.string('mode', 'constant') !== 'constant') return true;
  if (node.input(2) === undefined) return node.float('value', 0) === 0;
  return constantBehind(node, 2)?.numbers()[0] === 0;
}
