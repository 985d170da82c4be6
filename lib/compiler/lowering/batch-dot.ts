/** Keras's batch_dot. */
import type { Value } from '../ir/value.js';
import type { GraphBuilder } from './graph-builder.js';
import { matmul } from './matrix.js';
import { reshapeTo, type SizeOf } from './open-reshape.js';
import { squeeze, transpose, unsqueeze } from './rearrange.js';
import { rankOf } from './shape.js';

/**
 * For each element of the batch, the products of `a` and `b` summed over one axis of each: the result has the batch, the other
 * dimensions of `a`, then those of `b`. Of two matrices (batch and one more) it is [N, 1].
 * @param axes neither 0 nor negative
 */
export function batchDot(builder: GraphBuilder, a: Value, b: Value, axes: readonly [number, number]): Value {
  const [left, right] = axes;
  // Rows of `a` by what is summed, and what is summed by columns of `b`.
  const rows = rankOf(a) === 2 ? unsqueeze(builder, a, [1]) : movedAxis(builder, a, left, rankOf(a) - 1);
  const columns = rankOf(b) === 2 ? unsqueeze(builder, b, [2]) : movedAxis(builder, b, right, 1);
  const product = matmul(builder, matrices(builder, rows, 'rows'), matrices(builder, columns, 'columns'));
  const sizes: (number | SizeOf)[] = [
    { of: a, axis: 0 },
    ...sizesOf(rows, 1, rankOf(rows) - 1),
    ...sizesOf(columns, 2, rankOf(columns)),
  ];
  const result = rankOf(rows) > 3 || rankOf(columns) > 3 ? reshapeTo(builder, product, sizes) : product;
  if (rankOf(a) === 2) return squeeze(builder, result, [1]);
  return rankOf(b) === 2 ? squeeze(builder, result, [-1]) : result;
}

function movedAxis(builder: GraphBuilder, x: Value, from: number, to: number): Value {
  const rest = Array.from({ length: rankOf(x) }, (_, axis) => axis).filter((axis) => axis !== from);
  return transpose(builder, x, [...rest.slice(0, to), from, ...rest.slice(to)]);
}

/** Dimensions in the middle (rows) or at the end (columns) made one. */
function matrices(builder: GraphBuilder, x: Value, which: 'rows' | 'columns'): Value {
  const rank = rankOf(x);
  if (rank === 3) return x;
  const [batch] = sizesOf(x, 0, 1);
  const inner = which === 'rows' ? { of: x, axis: rank - 1 } : { of: x, axis: 1 };
  return reshapeTo(builder, x, which === 'rows' ? [batch as SizeOf, -1, inner] : [batch as SizeOf, inner, -1]);
}

function sizesOf(of: Value, from: number, to: number): SizeOf[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => ({ of, axis: from + index }));
}
