/** TensorFlow's functions in Functional models of Keras 2 (TFOpLambda), by the name that the config has. */
import type { Value } from '../../../ir/value.js';
import { activation, leakyRelu, softmax } from '../../../lowering/activation.js';
import { cast, clip, type UnaryOperator, unary } from '../../../lowering/elementwise.js';
import { matmul } from '../../../lowering/matrix.js';
import { unitNormalization } from '../../../lowering/normalization.js';
import { concat, split, squeeze, tile, transpose, unsqueeze } from '../../../lowering/rearrange.js';
import { argMax } from '../../../lowering/reduce.js';
import { normalizedAxis, rankOf, requiredSize } from '../../../lowering/shape.js';
import { indexed } from './indexing.js';
import {
  arithmetic,
  casted,
  comparison,
  division,
  extreme,
  logical,
  permutation,
  squared,
} from './keras-operations.js';
import type { Operation, OperationLowering, OperationTable } from './operation.js';
import { boolReduction, reduction, TENSORFLOW, variance } from './reducing.js';
import { reshaped, splitAlong, squeezed, stacked } from './shaping.js';
import { tensorflowSpatialOperations } from './spatial.js';

/** The first argument, whatever a function calls it. */
function first(operation: Operation): Value {
  return operation.value(0, 'x');
}

function float(operation: Operation): Value {
  return cast(operation.builder, first(operation), 'float32');
}

function unaryOf(operator: UnaryOperator): OperationLowering {
  return (operation) => [unary(operation.builder, operator, first(operation))];
}

function activationOf(name: string): OperationLowering {
  // The formulas of Keras 2's functions are TensorFlow's own: none of them changed.
  return (operation) => [activation(operation.builder, name, float(operation))];
}

const transposed: OperationLowering = (operation) => {
  const x = first(operation);
  const rank = rankOf(x);
  const order = operation.integers(1, 'perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  return [transpose(operation.builder, x, permutation(operation, order, rank))];
};

const clipped: OperationLowering = (operation) => {
  const [low, high] = [operation.number(1, 'clip_value_min'), operation.number(2, 'clip_value_max')];
  return [clip(operation.builder, first(operation), low, high)];
};

const multiplied: OperationLowering = (operation) => {
  const { builder } = operation;
  const [a, b] = operation.pair('a', 'b');
  const turned = (x: Value, name: string) => {
    if (!operation.boolean(name === 'transpose_a' ? 2 : 3, name, false)) return x;
    const rank = rankOf(x);
    const order = Array.from({ length: rank }, (_, axis) => axis);
    return transpose(builder, x, [...order.slice(0, -2), rank - 1, rank - 2]);
  };
  return [matmul(builder, turned(a, 'transpose_a'), turned(b, 'transpose_b'))];
};

const unstacked: OperationLowering = (operation) => {
  const { builder } = operation;
  const x = first(operation);
  const axis = normalizedAxis(operation.number(2, 'axis', 0), rankOf(x));
  const count = requiredSize(x, axis, operation.describes);
  const parts = split(
    builder,
    x,
    axis,
    Array.from({ length: count }, () => 1),
  );
  return parts.map((part) => squeeze(builder, part, [axis]));
};

const parted: OperationLowering = (operation) => {
  const axis = operation.number(2, 'axis', 0);
  const sizes = operation.raw(1, 'num_or_size_splits');
  if (!Array.isArray(sizes))
    return splitAlong(operation, first(operation), operation.number(1, 'num_or_size_splits'), axis);
  return split(operation.builder, first(operation), axis, operation.integers(1, 'num_or_size_splits') ?? []);
};

export const tensorflowOperations: OperationTable = {
  ...tensorflowSpatialOperations,
  '__operators__.add': arithmetic('Add', 'x', 'y'),
  '__operators__.getitem': (operation) => {
    return [indexed(operation, operation.value(0, 'tensor'), operation.raw(1, 'slice_spec'))];
  },
  '__operators__.mul': arithmetic('Mul', 'x', 'y'),
  '__operators__.sub': arithmetic('Sub', 'x', 'y'),
  '__operators__.truediv': division('x', 'y'),
  abs: unaryOf('Abs'),
  argmax: (operation) => [argMax(operation.builder, 'ArgMax', first(operation), operation.number(1, 'axis', 0))],
  cast: casted,
  clip_by_value: clipped,
  concat: (operation) => [concat(operation.builder, operation.values(0, 'values'), operation.number(1, 'axis'))],
  exp: unaryOf('Exp'),
  expand_dims: (operation) => [unsqueeze(operation.builder, first(operation), [operation.number(1, 'axis')])],
  identity: (operation) => [first(operation)],
  'linalg.l2_normalize': normalized,
  'linalg.matmul': multiplied,
  'math.abs': unaryOf('Abs'),
  'math.add': arithmetic('Add', 'x', 'y'),
  'math.argmax': (operation) => [argMax(operation.builder, 'ArgMax', first(operation), operation.number(1, 'axis', 0))],
  'math.divide': division('x', 'y'),
  'math.equal': comparison('Equal', 'x', 'y'),
  'math.exp': unaryOf('Exp'),
  'math.greater': comparison('Greater', 'x', 'y'),
  'math.greater_equal': comparison('GreaterOrEqual', 'x', 'y'),
  'math.l2_normalize': normalized,
  'math.less': comparison('Less', 'x', 'y'),
  'math.less_equal': comparison('LessOrEqual', 'x', 'y'),
  'math.log': unaryOf('Log'),
  'math.logical_and': logical('And', 'x', 'y'),
  'math.logical_not': unaryOf('Not'),
  'math.logical_or': logical('Or', 'x', 'y'),
  'math.maximum': extreme('Max', 'x', 'y'),
  'math.minimum': extreme('Min', 'x', 'y'),
  'math.multiply': arithmetic('Mul', 'x', 'y'),
  'math.negative': unaryOf('Neg'),
  'math.not_equal': comparison('Equal', 'x', 'y', true),
  'math.pow': arithmetic('Pow', 'x', 'y'),
  'math.reduce_all': boolReduction('all', TENSORFLOW),
  'math.reduce_any': boolReduction('any', TENSORFLOW),
  'math.reduce_max': reduction('ReduceMax', TENSORFLOW),
  'math.reduce_mean': reduction('ReduceMean', TENSORFLOW),
  'math.reduce_min': reduction('ReduceMin', TENSORFLOW),
  'math.reduce_prod': reduction('ReduceProd', TENSORFLOW),
  'math.reduce_std': variance(TENSORFLOW, true),
  'math.reduce_sum': reduction('ReduceSum', TENSORFLOW),
  'math.reduce_variance': variance(TENSORFLOW, false),
  'math.rsqrt': (operation) => [
    unary(operation.builder, 'Reciprocal', unary(operation.builder, 'Sqrt', first(operation))),
  ],
  'math.sigmoid': unaryOf('Sigmoid'),
  'math.softplus': unaryOf('Softplus'),
  'math.sqrt': unaryOf('Sqrt'),
  'math.square': squared,
  'math.subtract': arithmetic('Sub', 'x', 'y'),
  'math.tanh': unaryOf('Tanh'),
  'math.truediv': division('x', 'y'),
  'nn.elu': activationOf('elu'),
  'nn.leaky_relu': (operation) => [leakyRelu(operation.builder, float(operation), operation.number(1, 'alpha', 0.2))],
  'nn.relu': unaryOf('Relu'),
  'nn.relu6': activationOf('relu6'),
  'nn.selu': activationOf('selu'),
  'nn.sigmoid': unaryOf('Sigmoid'),
  'nn.silu': activationOf('silu'),
  'nn.softmax': (operation) => [softmax(operation.builder, float(operation), [operation.number(1, 'axis', -1)])],
  'nn.softplus': unaryOf('Softplus'),
  'nn.swish': activationOf('silu'),
  'nn.tanh': unaryOf('Tanh'),
  reshape: (operation) => [reshaped(operation, first(operation), 1, 'shape')],
  split: parted,
  sqrt: unaryOf('Sqrt'),
  square: squared,
  squeeze: (operation) => [squeezed(operation, first(operation), operation.integers(1, 'axis'))],
  stack: (operation) => {
    const axis = operation.number(1, 'axis', 0);
    return [concat(operation.builder, stacked(operation, operation.values(0, 'values'), axis), axis)];
  },
  tanh: unaryOf('Tanh'),
  tile: (operation) => [tile(operation.builder, first(operation), operation.integers(1, 'multiples') ?? [])],
  transpose: transposed,
  unstack: unstacked,
};

function normalized(operation: Operation): readonly Value[] {
  const axes = operation.integers(1, 'axis') ?? [-1];
  return [
    unitNormalization(operation.builder, float(operation), axes, Math.sqrt(operation.number(2, 'epsilon', 1e-12))),
  ];
}
