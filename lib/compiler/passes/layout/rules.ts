/** Which rule an operator has. What stands in no line keeps its axes where they are. */
import type { Node } from '../../ir/node.js';
import type { Order } from './order.js';
import { shape, size, transpose } from './rules/arrangement.js';
import { pad, reduce, resize, slice, squeeze, tile, unsqueeze } from './rules/axes.js';
import {
  argMax,
  concat,
  cumulativeSum,
  elementsAlong,
  gather,
  lpNormalization,
  softmax,
  split,
  topK,
} from './rules/axis.js';
import { broadcast, dropout, dynamicQuantization, expand, quantization, unary } from './rules/elementwise.js';
import { gemm, matMul } from './rules/matrix.js';
import {
  batchNormalization,
  layerNormalization,
  meanVarianceNormalization,
  perChannel,
} from './rules/normalization.js';
import { reshape } from './rules/reshape.js';
import { type Port, type Reordering, type Rule, wants } from './rules/rule.js';

const ALIKE: readonly (readonly [Rule, string])[] = [
  [
    unary,
    `Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish
    Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt
    Tan Tanh ThresholdedRelu`,
  ],
  [
    broadcast,
    `Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu
    Pow Sub Sum Where Xor`,
  ],
  [
    reduce,
    `ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare`,
  ],
  [softmax, 'Softmax LogSoftmax Hardmax'],
  [argMax, 'ArgMax ArgMin'],
  [elementsAlong, 'GatherElements ScatterElements'],
  [quantization, 'QuantizeLinear DequantizeLinear'],
  [perChannel, 'InstanceNormalization GlobalAveragePool GlobalMaxPool'],
  [reshape, 'Reshape Flatten'],
];

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...ALIKE.flatMap(([rule, operators]) => operators.split(/\s+/).map((operator) => [operator, rule] as const)),
  ['BatchNormalization', batchNormalization],
  ['Concat', concat],
  ['CumSum', cumulativeSum],
  ['Dropout', dropout],
  ['DynamicQuantizeLinear', dynamicQuantization],
  ['Expand', expand],
  ['Gather', gather],
  ['Gemm', gemm],
  ['LayerNormalization', layerNormalization],
  ['LpNormalization', lpNormalization],
  ['MatMul', matMul],
  ['MeanVarianceNormalization', meanVarianceNormalization],
  ['Pad', pad],
  ['Resize', resize],
  ['Shape', shape],
  ['Size', size],
  ['Slice', slice],
  ['Split', split],
  ['Squeeze', squeeze],
  ['Tile', tile],
  ['TopK', topK],
  ['Transpose', transpose],
  ['Unsqueeze', unsqueeze],
]);

/** What a node becomes when one of its inputs or outputs is reordered; a string says why it stays as it is. */
export function reorderingOf(node: Node, port: Port, order: Order): Reordering | string {
  const rule = node.domain === '' ? RULES.get(node.opType) : undefined;
  if (rule === undefined || [...node.subgraphs()].length > 0) return wants(node, 'wants its axes as they are');
  return rule(node, port, order);
}
