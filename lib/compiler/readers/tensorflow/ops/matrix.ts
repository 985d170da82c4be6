/** Products of matrices. */

import { attribute } from '../../../ir/attribute.js';
import type { Value } from '../../../ir/value.js';
import { einsum } from '../../../lowering/einsum.js';
import { type GraphBuilder, typeOf } from '../../../lowering/graph-builder.js';
import { matmul } from '../../../lowering/matrix.js';
import { reshape, transpose } from '../../../lowering/rearrange.js';
import { rankOf, shapeOf, staticSize } from '../../../lowering/shape.js';
import type { OpCall, OpTable } from '../op-call.js';
import { fused } from './fused.js';

export const MATRIX_OPS: OpTable = {
  BatchMatMul: (call) => product(call, 'adj_x', 'adj_y'),
  BatchMatMulV2: (call) => product(call, 'adj_x', 'adj_y'),
  BatchMatMulV3: (call) => product(call, 'adj_x', 'adj_y'),
  Einsum: (call) => einsum(call.builder, call.attributes.string('equation'), call.inputs),
  /** Elements further below or above the diagonal than the bounds become 0; a negative bound keeps all. */
  MatrixBandPart: (call) => {
    const [lower, upper] = [call.number(1, 'lower bound'), call.number(2, 'upper bound')];
    const above = upper < 0 ? call.input(0) : triangle(call.builder, call.input(0), upper, false);
    return lower < 0 ? above : triangle(call.builder, above, -lower, true);
  },
  MatMul: (call) => product(call, 'transpose_a', 'transpose_b'),
  _FusedMatMul: (call) => fused(call, product(call, 'transpose_a', 'transpose_b'), 2, 'channels_last'),
};

function triangle(builder: GraphBuilder, x: Value, diagonal: number, isUpper: boolean): Value {
  const attributes = { upper: attribute.int(isUpper ? 1 : 0) };
  return builder.node('Trilu', [x, builder.int64([diagonal], [])], typeOf(x), { attributes });
}

/** Of real numbers, an adjoint is a transpose. */
function product(call: OpCall, first: string, second: string): Value {
  const a = transposed(call.builder, call.input(0), call.attributes.bool(first, false));
  const b = transposed(call.builder, call.input(1), call.attributes.bool(second, false));
  return ofRows(call.builder, a, b) ?? matmul(call.builder, a, b);
}

/**
 * A dense layer over more than two dimensions flattens those in front, multiplies, and restores them. The product takes them as they are;
 * of the two Reshapes that would be left behind it, the restoring one finds its shape there already (`reshapeBy`).
 */
function ofRows(builder: GraphBuilder, a: Value, b: Value): Value | undefined {
  const whole = a.producer?.is('Reshape') === true ? a.producer.input(0) : undefined;
  if (whole === undefined || rankOf(a) !== 2 || rankOf(b) !== 2 || rankOf(whole) < 3) return undefined;
  const [inner, units] = [staticSize(whole, -1), staticSize(b, 1)];
  if (inner === undefined || units === undefined || inner !== staticSize(a, 1)) return undefined;
  return reshape(builder, matmul(builder, whole, b), [-1, units], [shapeOf(a)[0], units]);
}

function transposed(builder: GraphBuilder, x: Value, isTransposed: boolean): Value {
  const rank = rankOf(x);
  if (!isTransposed || rank < 2) return x;
  const permutation = Array.from({ length: rank }, (_, axis) => axis);
  return transpose(builder, x, [...permutation.slice(0, -2), rank - 1, rank - 2]);
}
