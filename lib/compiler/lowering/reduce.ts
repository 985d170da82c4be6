/** Many elements to one: sums, means, extremes, their positions, and what has been summed so far. */
import { attribute } from '../ir/attribute.js';
import type { ElementType } from '../ir/element-type.js';
import { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { binary, cast, compare, unary } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { gather } from './rearrange.js';
import { normalizedAxis, rankOf, shapeOf } from './shape.js';

export type ReduceOperator =
  | 'ReduceL1'
  | 'ReduceL2'
  /** Without overflow: the largest element is taken out first. */
  | 'ReduceLogSumExp'
  | 'ReduceMax'
  /** Of integers: divided towards zero, as TensorFlow's. */
  | 'ReduceMean'
  | 'ReduceMin'
  | 'ReduceProd'
  | 'ReduceSum'
  | 'ReduceSumSquare';

/**
 * Over `axes`, which count from the end where they are negative. As in TensorFlow, no axes reduce nothing: all of them are
 * `allAxes(x)`.
 * @param x a number type that onnxruntime reduces: float32, float64, int32, int64 (and int8, uint8 for extremes)
 */
export function reduce(
  builder: GraphBuilder,
  operator: ReduceOperator,
  x: Value,
  axes: readonly number[],
  keepDims: boolean,
): Value {
  const { elementType, shape: before } = typeOf(x);
  const reduced = [...new Set(axes.map((axis) => normalizedAxis(axis, before.length)))].sort((a, b) => a - b);
  if (reduced.length === 0) return overNothing(builder, operator, x);
  const shape = before.flatMap((size, axis): Dimension[] => {
    if (!reduced.includes(axis)) return [size];
    return keepDims ? [1] : [];
  });
  const attributes = { keepdims: attribute.int(keepDims ? 1 : 0) };
  return builder.node(operator, [x, builder.int64(reduced)], { elementType, shape }, { attributes });
}

/** Each element is a group of its own: the norms take the sign, the squares square. */
function overNothing(builder: GraphBuilder, operator: ReduceOperator, x: Value): Value {
  if (operator === 'ReduceL1' || operator === 'ReduceL2') return unary(builder, 'Abs', x);
  return operator === 'ReduceSumSquare' ? binary(builder, 'Mul', x, x) : x;
}

export function allAxes(x: Value): number[] {
  return Array.from({ length: rankOf(x) }, (_, axis) => axis);
}

/** Whether every (`ReduceMin`) or any (`ReduceMax`) element of a bool tensor holds. ONNX reduces no bools. */
export function reduceBool(
  builder: GraphBuilder,
  which: 'all' | 'any',
  x: Value,
  axes: readonly number[],
  keepDims: boolean,
): Value {
  const numbers = cast(builder, x, 'int32');
  return cast(builder, reduce(builder, which === 'all' ? 'ReduceMin' : 'ReduceMax', numbers, axes, keepDims), 'bool');
}

/** Mean and variance (of the whole, not a sample's), with the reduced dimensions kept as 1. */
export function moments(builder: GraphBuilder, x: Value, axes: readonly number[]): { mean: Value; variance: Value } {
  const mean = reduce(builder, 'ReduceMean', x, axes, true);
  const difference = binary(builder, 'Sub', x, mean);
  const squares = binary(builder, 'Mul', difference, difference);
  return { mean, variance: reduce(builder, 'ReduceMean', squares, axes, true) };
}

export interface ArgumentOptions {
  /** Default false: the dimension goes. */
  readonly keepDims?: boolean;
  /** Default int64. */
  readonly elementType?: ElementType;
}

/** Where the largest (or smallest) element lies along an axis; the first of equal ones, as in TensorFlow. */
export function argMax(
  builder: GraphBuilder,
  operator: 'ArgMax' | 'ArgMin',
  x: Value,
  axis: number,
  options: ArgumentOptions = {},
): Value {
  const { elementType, shape: before } = typeOf(x);
  const at = normalizedAxis(axis, before.length);
  const keepDims = options.keepDims ?? false;
  const shape = before.flatMap((size, index): Dimension[] => (index !== at ? [size] : keepDims ? [1] : []));
  const attributes = { axis: attribute.int(at), keepdims: attribute.int(keepDims ? 1 : 0) };
  const comparable = ['float32', 'float64', 'int32', 'int8', 'uint8'].includes(elementType);
  const numbers = comparable ? x : cast(builder, x, elementType === 'bool' ? 'uint8' : 'float64');
  const position = builder.node(operator, [numbers], { elementType: 'int64', shape }, { attributes });
  return cast(builder, position, options.elementType ?? 'int64');
}

export interface CumulativeOptions {
  /** The element itself is left out: the first result is 0 (or 1). Default false. */
  readonly exclusive?: boolean;
  /** From the end. Default false. */
  readonly reverse?: boolean;
}

/** @param x float32, float64, int32 or int64 */
export function cumulativeSum(builder: GraphBuilder, x: Value, axis: number, options: CumulativeOptions = {}): Value {
  const at = builder.constant(Tensor.scalar('int64', normalizedAxis(axis, rankOf(x))));
  const attributes = {
    ...(options.exclusive ? { exclusive: attribute.int(1) } : {}),
    ...(options.reverse ? { reverse: attribute.int(1) } : {}),
  };
  return builder.node('CumSum', [x, at], typeOf(x), { attributes });
}

/** 0, 1, 2, … as int64 for each position along an axis: a constant where the size is known. */
export function positions(builder: GraphBuilder, x: Value, axis: number): Value {
  const shape = shapeOf(x);
  const size = shape[normalizedAxis(axis, shape.length)];
  if (typeof size === 'number') return builder.int64(Array.from({ length: size }, (_, index) => index));
  const sizes = builder.node('Shape', [x], { elementType: 'int64', shape: [shape.length] });
  const count = gather(builder, sizes, builder.int64([normalizedAxis(axis, shape.length)], []), 0);
  const [start, step] = [builder.int64([0], []), builder.int64([1], [])];
  return builder.node('Range', [start, count, step], { elementType: 'int64', shape: [size] });
}

/** [rows, columns], true where the row is at or behind the column: what a position may see of those before it. */
export function causalMask(builder: GraphBuilder, rows: Value, columns: Value): Value {
  const shape = shapeOf(rows);
  const column = builder.node('Unsqueeze', [rows, builder.int64([1])], {
    elementType: elementTypeOf(rows),
    shape: [shape[0], 1],
  });
  return compare(builder, 'GreaterOrEqual', column, columns);
}
