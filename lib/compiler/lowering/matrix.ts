/** Products of matrices. */
import type { Dimension, Value } from '../ir/value.js';
import { binary } from './elementwise.js';
import { elementTypeOf, type GraphBuilder } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { broadcastShapes, shapeOf, shapeText } from './shape.js';

/** NumPy's matmul: dimensions before the last two broadcast, one-dimensional operands are vectors. */
export function matmul(builder: GraphBuilder, a: Value, b: Value): Value {
  const [left, right] = [shapeOf(a), shapeOf(b)];
  const inner = left[left.length - 1];
  const other = right[right.length === 1 ? 0 : right.length - 2];
  if (typeof inner === 'number' && typeof other === 'number' && inner !== other) {
    throw new LoweringError({
      code: 'SHAPE_MISMATCH',
      message: `[${shapeText(left)}] and [${shapeText(right)}] cannot be multiplied.`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  const shape: Dimension[] = [
    ...broadcastShapes(left.slice(0, -2), right.slice(0, -2)),
    ...(left.length > 1 ? [left[left.length - 2]] : []),
    ...(right.length > 1 ? [right[right.length - 1]] : []),
  ];
  return builder.node('MatMul', [a, b], { elementType: elementTypeOf(a), shape });
}

/** A dense layer over the last dimension: x · kernel + bias, kernel [inputs, units], bias [units]. */
export function dense(builder: GraphBuilder, x: Value, kernel: Value, bias: Value | undefined): Value {
  const product = matmul(builder, x, kernel);
  return bias === undefined ? product : binary(builder, 'Add', product, bias);
}

/** a · b + bias in one operator, of matrices. */
export function gemm(builder: GraphBuilder, a: Value, b: Value, bias: Value | undefined): Value {
  const shape = [shapeOf(a)[0], shapeOf(b)[1]];
  return builder.node('Gemm', bias === undefined ? [a, b] : [a, b, bias], { elementType: elementTypeOf(a), shape });
}
