/** Elements put at computed positions, and sums over segments, which are that. */
import { attribute } from '../ir/attribute.js';
import { type ElementType, isFloatingPoint } from '../ir/element-type.js';
import { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { fill, sizeVector } from './computed-shape.js';
import { binary, cast, compare, unary, variadic, where } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { dimensionOf, knownElements } from './known-elements.js';
import { concat, reshape, shapeVector, slice, unsqueeze } from './rearrange.js';
import { rankOf, shapeOf } from './shape.js';

export type ScatterReduction = 'none' | 'add' | 'mul' | 'max' | 'min';

/**
 * `x` with slices replaced by (or combined with) `updates`, at positions that the last dimension of `indices` holds. Where a position comes
 * twice without a reduction, the last one stays.
 */
export function scatterNd(
  builder: GraphBuilder,
  x: Value,
  indices: Value,
  updates: Value,
  reduction: ScatterReduction = 'none',
): Value {
  const attributes = reduction === 'none' ? {} : { reduction: attribute.string(reduction) };
  return builder.node('ScatterND', [x, cast(builder, indices, 'int64'), updates], typeOf(x), { attributes });
}

/** TensorFlow's ScatterNd: zeros of the sizes that `sizes` holds, plus `updates` at their positions; what comes twice adds up. */
export function scatterIntoZeros(builder: GraphBuilder, indices: Value, updates: Value, sizes: Value): Value {
  const zeros = fill(builder, sizes, builder.scalar(0, elementTypeOf(updates)));
  return scatterNd(builder, zeros, indices, updates, 'add');
}

export type SegmentReduction = 'sum' | 'mean' | 'sqrt-n' | 'prod' | 'max' | 'min';

export interface SegmentOptions {
  readonly reduction: SegmentReduction;
  /** A scalar of int32 or int64; undefined: one more than the last segment. */
  readonly segments?: Value;
  /** What a segment without rows holds; default the reduction's neutral element (sums 0, products 1, the lowest or highest number). */
  readonly empty?: number;
}

/**
 * TensorFlow's SegmentSum and its kin: rows of `x` that have the same number in `ids` become one. Rows of negative ids belong to none.
 * sqrt-n is the sum over the square root of the number of rows.
 * @param ids int32 or int64, its shape the first dimensions of `x`
 * @returns [segments, …the rest of x]
 */
export function segmentReduce(builder: GraphBuilder, x: Value, ids: Value, options: SegmentOptions): Value {
  const { reduction } = options;
  const elementType = elementTypeOf(x);
  const row = shapeOf(x).slice(rankOf(ids));
  const wide = cast(builder, ids, 'int64');
  const segments = options.segments === undefined ? lastSegment(builder, wide) : asCount(builder, options.segments);
  const known = options.segments === undefined ? undefined : dimensionOf(knownElements(segments)?.[0]);
  // Rows without a segment go into one more, which is cut off again.
  const positions = unsqueeze(builder, dropped(builder, wide, segments), [rankOf(ids)]);
  const scatter = (updates: Value, initial: number, how: ScatterReduction, rest: readonly Dimension[]) => {
    const count = binary(builder, 'Add', segments, builder.int64([1]));
    const vector = rest.length === 0 ? count : concat(builder, [count, rowSizes(builder, updates, rest)], 0);
    const start = fillLike(builder, vector, initial, elementType, [undefined, ...rest]);
    const all = scatterNd(builder, start, positions, updates, how);
    return firstRows(builder, all, segments, known);
  };
  const how = ({ sum: 'add', mean: 'add', 'sqrt-n': 'add', prod: 'mul', max: 'max', min: 'min' } as const)[reduction];
  const neutral = neutralOf(reduction, elementType);
  const reduced = scatter(x, neutral, how, row);
  const needsCount = reduction === 'mean' || reduction === 'sqrt-n' || (options.empty ?? neutral) !== neutral;
  if (!needsCount) return reduced;
  const one = builder.scalar(1, elementType);
  const ones = builder.node('Expand', [one, shapeVector(builder, wide)], { elementType, shape: shapeOf(ids) });
  const plain = scatter(ones, 0, 'add', []);
  const counts = unsqueeze(
    builder,
    plain,
    row.map((_, axis) => axis + 1),
  );
  if (reduction !== 'mean' && reduction !== 'sqrt-n') {
    const isEmpty = compare(builder, 'Equal', counts, builder.scalar(0, elementType));
    return where(builder, isEmpty, builder.scalar(options.empty ?? 0, elementType), reduced);
  }
  const divisor = variadic(builder, 'Max', [counts, one]);
  return binary(builder, 'Div', reduced, reduction === 'mean' ? divisor : unary(builder, 'Sqrt', divisor));
}

function neutralOf(reduction: SegmentReduction, elementType: ElementType): number {
  if (reduction === 'prod') return 1;
  if (reduction !== 'max' && reduction !== 'min') return 0;
  const sign = reduction === 'max' ? -1 : 1;
  if (elementType === 'float32' || elementType === 'float16')
    return sign * (elementType === 'float16' ? 65504 : 3.4028234663852886e38);
  if (isFloatingPoint(elementType)) return sign * Number.MAX_VALUE;
  return elementType === 'int64' ? sign * Number.MAX_SAFE_INTEGER : sign > 0 ? 2 ** 31 - 1 : -(2 ** 31);
}

/** One more than the largest id, as a vector of one; 0 where there are none. */
function lastSegment(builder: GraphBuilder, ids: Value): Value {
  const all = concat(builder, [reshape(builder, ids, [-1]), builder.int64([-1])], 0);
  const attributes = { keepdims: attribute.int(1) };
  const last = builder.node('ReduceMax', [all], { elementType: 'int64', shape: [1] }, { attributes });
  return binary(builder, 'Add', last, builder.int64([1]));
}

function asCount(builder: GraphBuilder, segments: Value): Value {
  return cast(builder, reshape(builder, segments, [1]), 'int64');
}

function dropped(builder: GraphBuilder, ids: Value, segments: Value): Value {
  const isNegative = compare(builder, 'Less', ids, builder.int64([0]));
  return where(builder, isNegative, segments, ids);
}

function rowSizes(builder: GraphBuilder, x: Value, rest: readonly Dimension[]): Value {
  if (rest.every((size) => typeof size === 'number')) return builder.int64(rest as readonly number[]);
  return slice(builder, shapeVector(builder, x), [{ axis: 0, start: rankOf(x) - rest.length }]);
}

function fillLike(
  builder: GraphBuilder,
  sizes: Value,
  value: number,
  elementType: ElementType,
  shape: readonly Dimension[],
) {
  const attributes = { value: attribute.tensor(Tensor.fromNumbers(elementType, [1], [value])) };
  return builder.node('ConstantOfShape', [sizes], { elementType, shape }, { attributes });
}

function firstRows(builder: GraphBuilder, x: Value, count: Value, known: Dimension): Value {
  const { elementType, shape } = typeOf(x);
  const inputs = [x, builder.int64([0]), sizeVector(builder, [count]), builder.int64([0])];
  return builder.node('Slice', inputs, { elementType, shape: [known, ...shape.slice(1)] });
}
