/** Elements by computed positions. */
import { attribute } from '../ir/attribute.js';
import type { Value } from '../ir/value.js';
import { cast } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { gather, transpose, unsqueeze } from './rearrange.js';
import { normalizedAxis, rankOf, shapeOf } from './shape.js';

/**
 * TensorFlow's GatherV2: slices of `x` along `axis`, at `indices` (int32 or int64, any shape). The first `batchDims` dimensions of both are
 * the same, and each batch gathers by itself:
 * result[batch…, outer…, i…, inner…] = x[batch…, outer…, indices[batch…, i…], inner…].
 */
export function batchedGather(builder: GraphBuilder, x: Value, indices: Value, axis: number, batchDims: number): Value {
  const rank = rankOf(x);
  const at = normalizedAxis(axis, rank);
  const batch = batchDims < 0 ? batchDims + rankOf(indices) : batchDims;
  if (batch === 0) return gather(builder, x, indices, at);
  // GatherND takes along the first dimension after the batch: the axis goes there, and the outer dimensions back before the indices'.
  const outer = range(batch, at);
  const inner = range(at + 1, rank);
  const moved = transpose(builder, x, [...range(0, batch), at, ...outer, ...inner]);
  const taken = gatherNd(builder, moved, unsqueeze(builder, indices, [rankOf(indices)]), batch);
  const gathered = rankOf(indices) - batch;
  return transpose(builder, taken, [
    ...range(0, batch),
    ...outer.map((_, index) => batch + gathered + index),
    ...range(batch, batch + gathered),
    ...inner.map((_, index) => batch + gathered + outer.length + index),
  ]);
}

/** Slices of `x` at positions: the last dimension of `indices` (int32 or int64) holds coordinates along `x`'s dimensions after the batch. */
export function gatherNd(builder: GraphBuilder, x: Value, indices: Value, batchDims = 0): Value {
  const [shape, positions] = [shapeOf(x), shapeOf(indices)];
  const depth = positions[positions.length - 1];
  const count = typeof depth === 'number' ? depth : shape.length - batchDims;
  return builder.node(
    'GatherND',
    [x, cast(builder, indices, 'int64')],
    { elementType: elementTypeOf(x), shape: [...positions.slice(0, -1), ...shape.slice(batchDims + count)] },
    batchDims === 0 ? {} : { attributes: { batch_dims: attribute.int(batchDims) } },
  );
}

/** Coordinates of the elements that are not zero (or true): int64 [count, rank], in row-major order. */
export function nonZeroCoordinates(builder: GraphBuilder, x: Value): Value {
  const { shape } = typeOf(x);
  const columns = builder.node('NonZero', [x], { elementType: 'int64', shape: [shape.length, undefined] });
  return transpose(builder, columns, [1, 0]);
}

function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, index) => start + index);
}
