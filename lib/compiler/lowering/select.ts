/** Choices: one-hot vectors, the largest elements. */
import { attribute } from '../ir/attribute.js';
import type { ElementType } from '../ir/element-type.js';
import type { Value } from '../ir/value.js';
import { cast, compare, where } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { dimensionOf, knownElements, knownNumbers } from './known-elements.js';
import { reshape, unsqueeze } from './rearrange.js';
import { normalizedAxis, rankOf } from './shape.js';

/** What `start`, `start` + `step`, … below `limit` is: scalars of one type, constants or computed. */
export function range(builder: GraphBuilder, start: Value, limit: Value, step: Value): Value {
  const [from, to, by] = [start, limit, step].map((bound) => knownElements(bound)?.[0]);
  const isCount = from === 0 && by === 1;
  const size =
    typeof from === 'number' && typeof to === 'number' && typeof by === 'number' && by !== 0
      ? Math.max(0, Math.ceil((to - from) / by))
      : isCount
        ? dimensionOf(to)
        : undefined;
  return builder.node('Range', [start, limit, step], { elementType: elementTypeOf(start), shape: [size] });
}

/**
 * `on` where the new dimension's index is that of `indices`, else `off`. Indices out of range, negative ones too, are off everywhere, which
 * ONNX's OneHot would count from the end.
 * @param depth a scalar of an integer type; `on` and `off` scalars of the result's type
 * @param axis of the result where the new dimension stands; -1 is the last
 */
export function oneHot(builder: GraphBuilder, indices: Value, depth: Value, on: Value, off: Value, axis = -1): Value {
  const rank = rankOf(indices) + 1;
  const at = normalizedAxis(axis, rank);
  const wide = cast(builder, indices, 'int64');
  const [count] = knownNumbers(depth) ?? [];
  const limit = count === undefined ? cast(builder, reshape(builder, depth, []), 'int64') : builder.int64([count], []);
  const classes = range(builder, builder.int64([0], []), limit, builder.int64([1], []));
  const trailing = Array.from({ length: rank - 1 - at }, (_, index) => index + 1);
  const isIndex = compare(builder, 'Equal', unsqueeze(builder, wide, [at]), unsqueeze(builder, classes, trailing));
  return where(builder, isIndex, on, off);
}

/** The `k` largest elements of the last dimension, largest first, of equal ones the first; and where they stood. */
export function topK(
  builder: GraphBuilder,
  x: Value,
  k: Value,
  indexType: ElementType,
): { readonly values: Value; readonly indices: Value } {
  const { elementType, shape } = typeOf(x);
  const [count] = knownElements(k) ?? [];
  const taken = [...shape.slice(0, -1), dimensionOf(count)];
  const vector = cast(builder, reshape(builder, k, [1]), 'int64');
  const [values, indices] = builder.nodes(
    'TopK',
    [x, vector],
    [
      { elementType, shape: taken },
      { elementType: 'int64', shape: taken },
    ],
    { attributes: { axis: attribute.int(-1) } },
  ) as [Value, Value];
  return { values, indices: cast(builder, indices, indexType) };
}

/**
 * TensorFlow 1's Select: where `condition` is a vector, it chooses whole rows of the others, whose shapes are equal.
 */
export function selectRows(builder: GraphBuilder, condition: Value, a: Value, b: Value): Value {
  const [rank, rows] = [rankOf(condition), rankOf(a)];
  const axes = rank === 1 && rows > 1 ? Array.from({ length: rows - 1 }, (_, index) => index + 1) : [];
  return where(builder, unsqueeze(builder, condition, axes), a, b);
}
