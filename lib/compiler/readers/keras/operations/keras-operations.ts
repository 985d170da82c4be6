/** `keras.ops` in Functional models of Keras 3, by class. */
import type { ElementType } from '../../../ir/element-type.js';
import type { Value } from '../../../ir/value.js';
import { activation, gelu, glu, leakyRelu, logSoftmax, softmax } from '../../../lowering/activation.js';
import { einsum } from '../../../lowering/einsum.js';
import {
  type BinaryOperator,
  binary,
  type Comparison,
  cast,
  clip,
  compare,
  type UnaryOperator,
  unary,
  variadic,
  where,
} from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { matmul } from '../../../lowering/matrix.js';
import { unitNormalization } from '../../../lowering/normalization.js';
import { reshapeTo } from '../../../lowering/open-reshape.js';
import { concat, gather, slice, tile, transpose, unsqueeze } from '../../../lowering/rearrange.js';
import { argMax, cumulativeSum } from '../../../lowering/reduce.js';
import { normalizedAxis, rankOf, shapeOf } from '../../../lowering/shape.js';
import { elementTypeNamed } from '../dtype.js';
import { indexed } from './indexing.js';
import type { Operation, OperationLowering, OperationTable } from './operation.js';
import { boolReduction, KERAS, reduction, variance } from './reducing.js';
import { reshaped, splitAlong, squeezed, stacked } from './shaping.js';
import { kerasSpatialOperations } from './spatial.js';

function float(operation: Operation, position = 0, name = 'x'): Value {
  return cast(operation.builder, operation.value(position, name), 'float32');
}

/** Integers become float32 first. */
function floating(operator: UnaryOperator): OperationLowering {
  return (operation) => [unary(operation.builder, operator, float(operation))];
}

function unchanged(operator: UnaryOperator): OperationLowering {
  return (operation) => [unary(operation.builder, operator, operation.value(0, 'x'))];
}

export function arithmetic(operator: BinaryOperator, first = 'x1', second = 'x2'): OperationLowering {
  return (operation) => [binary(operation.builder, operator, ...operation.pair(first, second))];
}

/** The quotient as floating point, whatever went in. */
export function division(first = 'x1', second = 'x2'): OperationLowering {
  return (operation) => {
    const [a, b] = operation.pair(first, second);
    return [
      binary(operation.builder, 'Div', cast(operation.builder, a, 'float32'), cast(operation.builder, b, 'float32')),
    ];
  };
}

export function comparison(operator: Comparison, first = 'x1', second = 'x2', negated = false): OperationLowering {
  return (operation) => {
    const result = compare(operation.builder, operator, ...operation.pair(first, second));
    return [negated ? unary(operation.builder, 'Not', result) : result];
  };
}

export function logical(operator: BinaryOperator, first = 'x1', second = 'x2'): OperationLowering {
  return (operation) => {
    const [a, b] = [operation.value(0, first), operation.value(1, second)];
    return [
      binary(operation.builder, operator, cast(operation.builder, a, 'bool'), cast(operation.builder, b, 'bool')),
    ];
  };
}

export function extreme(operator: 'Max' | 'Min', first = 'x1', second = 'x2'): OperationLowering {
  return (operation) => [variadic(operation.builder, operator, operation.pair(first, second))];
}

function activationOf(name: string): OperationLowering {
  return (operation) => [activation(operation.builder, name, float(operation))];
}

export function squared(operation: Operation): readonly Value[] {
  const x = operation.value(0, 'x');
  return [binary(operation.builder, 'Mul', x, x)];
}

export const casted: OperationLowering = (operation) => {
  return [cast(operation.builder, operation.value(0, 'x'), typeNamed(operation, 'dtype') ?? 'float32')];
};

const transposed: OperationLowering = (operation) => {
  const x = operation.value(0, 'x');
  const rank = rankOf(x);
  const axes = operation.integers(1, 'axes') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  return [transpose(operation.builder, x, permutation(operation, axes, rank))];
};

export function permutation(operation: Operation, axes: readonly number[], rank: number): readonly number[] {
  const normalized = axes.map((axis) => normalizedAxis(axis, rank));
  if (new Set(normalized).size === rank && normalized.length === rank) return normalized;
  throw operation.refuse(`[${axes.join(', ')}] is no order of ${rank} dimensions`);
}

const swapped: OperationLowering = (operation) => {
  const x = operation.value(0, 'x');
  const order = Array.from({ length: rankOf(x) }, (_, axis) => axis);
  const a = normalizedAxis(operation.number(1, 'axis1'), order.length);
  const b = normalizedAxis(operation.number(2, 'axis2'), order.length);
  [order[a], order[b]] = [b, a];
  return [transpose(operation.builder, x, order)];
};

const moved: OperationLowering = (operation) => {
  const x = operation.value(0, 'x');
  const rank = rankOf(x);
  const source = (operation.integers(1, 'source') ?? []).map((axis) => normalizedAxis(axis, rank));
  const destination = (operation.integers(2, 'destination') ?? []).map((axis) => normalizedAxis(axis, rank));
  if (source.length !== destination.length) throw operation.refuse('as many axes must move as there are places');
  const order = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !source.includes(axis));
  const places = destination.map((place, index) => [place, source[index] ?? 0] as const).sort(([a], [b]) => a - b);
  for (const [place, axis] of places) order.splice(place, 0, axis);
  return [transpose(operation.builder, x, permutation(operation, order, rank))];
};

const softmaxOf: OperationLowering = (operation) => {
  return [softmax(operation.builder, float(operation), operation.integers(1, 'axis') ?? [-1])];
};

const clipped: OperationLowering = (operation) => {
  const x = operation.value(0, 'x');
  return [clip(operation.builder, x, operation.number(1, 'x_min'), operation.number(2, 'x_max'))];
};

const chosen: OperationLowering = (operation) => {
  const { builder } = operation;
  const condition = cast(builder, operation.value(0, 'condition'), 'bool');
  const types = [1, 2].flatMap((position) => operation.elementType(position, `x${position}`) ?? []);
  const [type] = types;
  const [a, b] = [operation.value(1, 'x1', type), operation.value(2, 'x2', type)];
  return [where(builder, condition, a, cast(builder, b, elementTypeOf(a)))];
};

const taken: OperationLowering = (operation) => {
  const { builder } = operation;
  const indices = operation.value(1, 'indices', 'int64');
  const axis = operation.raw(2, 'axis');
  if (!Number.isSafeInteger(axis)) throw operation.refuse('it takes elements of no axis');
  const whole = elementTypeOf(indices) === 'int32' ? indices : cast(builder, indices, 'int64');
  return [gather(builder, operation.value(0, 'x'), whole, Number(axis))];
};

const repeated: OperationLowering = (operation) => {
  const { builder } = operation;
  const x = operation.value(0, 'x');
  const count = operation.number(1, 'repeats');
  const axis = normalizedAxis(operation.number(2, 'axis'), rankOf(x));
  // Each element beside its copies: copies on a new axis behind it, then the two as one.
  const parts = Array.from({ length: count > 0 && count <= 1024 ? count : 0 }, () => unsqueeze(builder, x, [axis + 1]));
  if (parts.length === 0) throw operation.refuse(`it repeats elements ${count} times`);
  return [mergedAxis(operation, concat(builder, parts, axis + 1), axis)];
};

function mergedAxis(operation: Operation, x: Value, axis: number): Value {
  const rank = rankOf(x);
  const sizes = Array.from({ length: rank }, (_, index) => index);
  const kept = sizes.filter((index) => index !== axis + 1);
  return reshapeTo(
    operation.builder,
    x,
    kept.map((index) => (index === axis ? -1 : { of: x, axis: index })),
  );
}

const flipped: OperationLowering = (operation) => {
  const x = operation.value(0, 'x');
  const axes = operation.integers(1, 'axis') ?? Array.from({ length: rankOf(x) }, (_, axis) => axis);
  return [
    slice(
      operation.builder,
      x,
      axes.map((axis) => ({ axis, start: -1, step: -1 })),
    ),
  ];
};

/** Along an axis; of all elements in a row where there is none. */
function position(operator: 'ArgMax' | 'ArgMin'): OperationLowering {
  return (operation) => {
    const { builder } = operation;
    const x = operation.value(0, 'x');
    const isWhole = (operation.raw(1, 'axis') ?? null) === null;
    const keepDims = operation.boolean(2, 'keepdims', false);
    if (isWhole && keepDims) throw operation.refuse('it keeps the dimensions of a position among all elements');
    const [from, axis] = isWhole ? [reshapeTo(builder, x, [-1]), 0] : [x, operation.number(1, 'axis')];
    return [argMax(builder, operator, from, axis, { keepDims, elementType: 'int32' })];
  };
}

export const kerasOperations: OperationTable = {
  ...kerasSpatialOperations,
  Abs: unchanged('Abs'),
  Absolute: unchanged('Abs'),
  Add: arithmetic('Add'),
  All: boolReduction('all', KERAS),
  Any: boolReduction('any', KERAS),
  Arccos: floating('Acos'),
  Arcsin: floating('Asin'),
  Arctan: floating('Atan'),
  Argmax: position('ArgMax'),
  Argmin: position('ArgMin'),
  Cast: casted,
  Ceil: floating('Ceil'),
  Clip: clipped,
  Concatenate: (operation) => [concat(operation.builder, operation.values(0, 'xs'), operation.number(1, 'axis', 0))],
  Cos: floating('Cos'),
  Cosh: floating('Cosh'),
  Cumsum: (operation) => [cumulativeSum(operation.builder, operation.value(0, 'x'), operation.number(1, 'axis'))],
  Divide: division(),
  Einsum: (operation) => [einsum(operation.builder, operation.config.string('subscripts'), operation.operands)],
  Elu: activationOf('elu'),
  Equal: comparison('Equal'),
  Erf: floating('Erf'),
  Exp: floating('Exp'),
  ExpandDims: (operation) => [
    unsqueeze(operation.builder, operation.value(0, 'x'), operation.integers(1, 'axis') ?? []),
  ],
  Expm1: (operation) => [
    binary(operation.builder, 'Sub', unary(operation.builder, 'Exp', float(operation)), operation.builder.scalar(1)),
  ],
  Flip: flipped,
  Floor: floating('Floor'),
  Gelu: (operation) => [gelu(operation.builder, float(operation), operation.boolean(1, 'approximate', true))],
  GetItem: (operation) => [indexed(operation, operation.value(0, 'x'), operation.raw(1, 'key'))],
  Glu: (operation) => [glu(operation.builder, float(operation), operation.number(1, 'axis', -1))],
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  HardSigmoid: activationOf('hard_sigmoid'),
  HardSilu: activationOf('hard_silu'),
  Identity: (operation) => [operation.value(0, 'x')],
  LeakyRelu: (operation) => [
    leakyRelu(operation.builder, float(operation), operation.number(1, 'negative_slope', 0.2)),
  ],
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  Log: floating('Log'),
  Log1p: (operation) => [
    unary(operation.builder, 'Log', binary(operation.builder, 'Add', float(operation), operation.builder.scalar(1))),
  ],
  LogSigmoid: activationOf('log_sigmoid'),
  LogSoftmax: (operation) => [logSoftmax(operation.builder, float(operation), operation.number(1, 'axis', -1))],
  LogicalAnd: logical('And'),
  LogicalNot: (operation) => [
    unary(operation.builder, 'Not', cast(operation.builder, operation.value(0, 'x'), 'bool')),
  ],
  LogicalOr: logical('Or'),
  LogicalXor: logical('Xor'),
  Matmul: (operation) => [matmul(operation.builder, ...operation.pair('x1', 'x2'))],
  Max: reduction('ReduceMax', KERAS),
  Maximum: extreme('Max'),
  Mean: reduction('ReduceMean', KERAS, true),
  Min: reduction('ReduceMin', KERAS),
  Minimum: extreme('Min'),
  Moveaxis: moved,
  Multiply: arithmetic('Mul'),
  Negative: unchanged('Neg'),
  Normalize: (operation) => {
    if (operation.number(2, 'order', 2) !== 2) throw operation.refuse('only the order 2 is supported');
    return [unitNormalization(operation.builder, float(operation), operation.integers(1, 'axis') ?? [-1], 1e-7)];
  },
  NotEqual: comparison('Equal', 'x1', 'x2', true),
  OnesLike: (operation) => [filledLike(operation, 1)],
  Power: arithmetic('Pow'),
  Prod: reduction('ReduceProd', KERAS),
  Reciprocal: floating('Reciprocal'),
  Relu: activationOf('relu'),
  Relu6: activationOf('relu6'),
  Repeat: repeated,
  Reshape: (operation) => [reshaped(operation, operation.value(0, 'x'), 1, 'newshape')],
  Round: floating('Round'),
  Rsqrt: (operation) => [unary(operation.builder, 'Reciprocal', unary(operation.builder, 'Sqrt', float(operation)))],
  Selu: activationOf('selu'),
  Sigmoid: activationOf('sigmoid'),
  Sign: unchanged('Sign'),
  Silu: activationOf('silu'),
  Sin: floating('Sin'),
  Sinh: floating('Sinh'),
  Softmax: softmaxOf,
  Softplus: activationOf('softplus'),
  Softsign: activationOf('softsign'),
  Split: (operation) => {
    const sections = operation.raw(1, 'indices_or_sections');
    const list = Array.isArray(sections) ? operation.integers(1, 'indices_or_sections') : undefined;
    const parts = list ?? operation.number(1, 'indices_or_sections');
    return splitAlong(operation, operation.value(0, 'x'), parts, operation.number(2, 'axis', 0));
  },
  Sqrt: floating('Sqrt'),
  Square: squared,
  Squeeze: (operation) => [squeezed(operation, operation.value(0, 'x'), operation.integers(1, 'axis'))],
  Stack: (operation) => {
    const axis = operation.number(1, 'axis', 0);
    return [concat(operation.builder, stacked(operation, operation.values(0, 'x'), axis), axis)];
  },
  Std: variance(KERAS, true),
  Subtract: arithmetic('Sub'),
  Sum: reduction('ReduceSum', KERAS),
  Swapaxes: swapped,
  Take: taken,
  Tan: floating('Tan'),
  Tanh: floating('Tanh'),
  Tile: (operation) => {
    const x = operation.value(0, 'x');
    const repeats = operation.integers(1, 'repeats') ?? [];
    const ones = Array.from({ length: Math.max(0, rankOf(x) - repeats.length) }, () => 1);
    const missing = Array.from({ length: Math.max(0, repeats.length - rankOf(x)) }, (_, axis) => axis);
    return [tile(operation.builder, unsqueeze(operation.builder, x, missing), [...ones, ...repeats])];
  },
  Transpose: transposed,
  TrueDivide: division(),
  Var: variance(KERAS, false),
  Where: chosen,
  ZerosLike: (operation) => [filledLike(operation, 0)],
};

function filledLike(operation: Operation, number: number): Value {
  const { builder } = operation;
  const x = operation.value(0, 'x');
  const elementType = typeNamed(operation, 'dtype') ?? elementTypeOf(x);
  const shape = builder.node('Shape', [x], { elementType: 'int64', shape: [rankOf(x)] });
  return builder.node('Expand', [builder.scalar(number, elementType), shape], { elementType, shape: shapeOf(x) });
}

/** The element type that an argument names; undefined where it is absent. */
export function typeNamed(operation: Operation, name: string): ElementType | undefined {
  if ((operation.raw(1, name) ?? null) === null) return undefined;
  const dtype = operation.string(1, name, '');
  const elementType = elementTypeNamed(dtype);
  if (elementType === undefined) throw operation.refuse(`it is of the type ${dtype}`);
  return elementType;
}
