/**
 * Element type and rank of values that carry no type, followed through operators that keep or state them.
 * Files often type nothing but inputs and outputs; this needs no session and answers undefined where it does not know.
 */
import { type ElementType, elementTypeOf } from '../ir/element-type.js';
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';

/** Operators whose first output has the element type and the rank of their first input. */
const KEEP_TYPE_AND_RANK = new Set(
  `Abs Acos Acosh Asin Asinh Atan Atanh AveragePool BatchNormalization BitShift BitwiseNot Ceil Celu Clip Conv
  ConvTranspose Cos Cosh CumSum DepthToSpace Dropout Elu Erf Exp Floor Gelu GlobalAveragePool GlobalLpPool GlobalMaxPool
  GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log
  LogSoftmax LpNormalization LpPool MaxPool MaxRoiPool MeanVarianceNormalization Mish Neg Not PRelu Pad Reciprocal Relu
  Resize ReverseSequence Round Scatter ScatterElements ScatterND Selu Shrink Sigmoid Sign Sin Sinh Slice Softmax
  Softplus Softsign SpaceToDepth Split Sqrt Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Upsample`.split(/\s+/),
);

/** Operators that broadcast their inputs, all of one element type, which the output has too. */
const BROADCAST = new Set(
  ['Add', 'Div', 'Max', 'Mean', 'Min', 'Mod', 'Mul', 'Pow', 'Sub', 'Sum'].concat(
    'BitwiseAnd',
    'BitwiseOr',
    'BitwiseXor',
  ),
);

const COMPARE = new Set(
  ['And', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Or', 'Xor'].concat('IsInf', 'IsNaN'),
);

const KEEP_TYPE = new Set(
  `Compress Concat Einsum Expand Flatten GRU Gather GatherElements GatherND Gemm LSTM MatMul RNN ReduceL1 ReduceL2 ReduceLogSum
  ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reshape Squeeze Unsqueeze`.split(
    /\s+/,
  ),
);

const INT64 = new Set(['ArgMax', 'ArgMin', 'NonMaxSuppression', 'NonZero', 'Shape', 'Size']);

/**
 * The element type of a value, or undefined if nothing on the way to it says.
 * @param told what is known of a value without its producer. Default: its own type
 */
export function inferElementType(
  value: Value | undefined,
  told: (value: Value) => ElementType | undefined = (each) => each.elementType,
): ElementType | undefined {
  let current = value;
  while (current !== undefined) {
    const known = told(current);
    if (known !== undefined) return known;
    const node: Node | undefined = current.producer;
    if (node === undefined || node.domain !== '') return undefined;
    const { opType } = node;
    if (opType === 'Cast') return elementTypeOf(node.int('to', 0));
    if (opType === 'Constant' || opType === 'ConstantOfShape') {
      return node.tensor('value')?.elementType ?? constantElementType(node);
    }
    if (COMPARE.has(opType)) return 'bool';
    if (INT64.has(opType) || (opType === 'TopK' && current === node.outputs[1])) return 'int64';
    if ((opType === 'Dropout' || opType === 'MaxPool') && current !== node.outputs[0]) return undefined;
    if (opType === 'Where') current = node.input(1);
    else if (KEEP_TYPE_AND_RANK.has(opType) || KEEP_TYPE.has(opType) || BROADCAST.has(opType)) current = node.input(0);
    else return undefined;
  }
  return undefined;
}

function constantElementType(node: Node): ElementType | undefined {
  if (node.opType === 'ConstantOfShape') return 'float32';
  if (node.attributes.has('value_float') || node.attributes.has('value_floats')) return 'float32';
  return node.attributes.has('value_int') || node.attributes.has('value_ints') ? 'int64' : undefined;
}

/** The constant behind input `index`: an initializer that no caller can override, or what a Constant node holds. */
export function constantBehind(node: Node, index: number): Tensor | undefined {
  const producer = node.input(index)?.producer;
  return producer?.is('Constant') ? producer.tensor('value') : node.constantInput(index);
}

/** The rank of a value, or undefined if nothing on the way to it says. */
export function inferRank(value: Value | undefined): number | undefined {
  return rankOf(value, new Map());
}

function rankOf(value: Value | undefined, known: Map<Value, number | undefined>): number | undefined {
  if (value === undefined) return undefined;
  if (value.rank !== undefined) return value.rank;
  if (known.has(value)) return known.get(value);
  known.set(value, undefined);
  const rank = value.producer?.domain === '' ? rankOfOutput(value.producer, known) : undefined;
  known.set(value, rank);
  return rank;
}

function rankOfOutput(node: Node, known: Map<Value, number | undefined>): number | undefined {
  const input = (index: number) => rankOf(node.input(index), known);
  if (KEEP_TYPE_AND_RANK.has(node.opType)) return input(0) ?? (node.is('Conv', 'ConvTranspose') ? input(1) : undefined);
  if (BROADCAST.has(node.opType)) {
    const ranks = node.inputs.map((_, index) => input(index));
    return ranks.every((rank) => rank !== undefined) ? Math.max(...ranks) : undefined;
  }
  switch (node.opType) {
    case 'Cast':
      return input(0);
    case 'Constant':
      return node.tensor('value')?.dims.length;
    case 'Concat':
      return node.inputs.map((_, index) => input(index)).find((rank) => rank !== undefined);
    case 'Flatten':
    case 'Gemm':
      return 2;
    case 'Shape':
      return 1;
    case 'MatMul': {
      const [a, b] = [input(0), input(1)];
      return a !== undefined && b !== undefined && a >= 2 && b >= 2 ? Math.max(a, b) : undefined;
    }
    case 'Gather': {
      const [data, indices] = [input(0), input(1)];
      return data !== undefined && indices !== undefined ? data - 1 + indices : undefined;
    }
    case 'Reshape':
      return lengthOf(node, 1);
    case 'Expand': {
      const [data, length] = [input(0), lengthOf(node, 1)];
      return data !== undefined && length !== undefined ? Math.max(data, length) : undefined;
    }
    case 'Squeeze':
    case 'Unsqueeze': {
      const count = node.ints('axes')?.length ?? lengthOf(node, 1);
      const data = input(0);
      if (data === undefined || count === undefined) return undefined;
      return node.opType === 'Squeeze' ? data - count : data + count;
    }
    default:
      if (!node.opType.startsWith('Reduce')) return undefined;
      return node.int('keepdims', 1) === 1 ? input(0) : undefined;
  }
}

/** The number of elements of a one-dimensional input, such as a shape or axes. */
function lengthOf(node: Node, index: number): number | undefined {
  const shape = constantBehind(node, index)?.dims ?? node.input(index)?.staticShape;
  if (shape !== undefined) return shape.length === 1 ? shape[0] : undefined;
  const producer = node.input(index)?.producer;
  if (!producer?.is('Concat')) return undefined;
  let length = 0;
  for (let position = 0; position < producer.inputs.length; position++) {
    const part = lengthOf(producer, position);
    if (part === undefined) return undefined;
    length += part;
  }
  return length;
}
