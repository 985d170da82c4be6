/** Reshapes whose sizes are partly known only when the model runs. */
import type { Dimension, Value } from '../ir/value.js';
import { elementTypeOf, type GraphBuilder } from './graph-builder.js';
import { concat, reshape, slice } from './rearrange.js';
import { shapeOf, staticSize } from './shape.js';

/** The size of a dimension of a value, whatever it will be. */
export interface SizeOf {
  readonly of: Value;
  readonly axis: number;
}

/**
 * @param sizes numbers, sizes of other values' dimensions, and at most one -1 for what is left
 * @throws LoweringError SHAPE_MISMATCH where the numbers of elements are known and differ
 */
export function reshapeTo(builder: GraphBuilder, x: Value, sizes: readonly (number | SizeOf)[]): Value {
  const numbers = sizes.map((size) => (typeof size === 'number' ? size : (staticSize(size.of, size.axis) ?? size)));
  const open = numbers.filter((size) => typeof size !== 'number');
  const known = numbers.map((size): Dimension => {
    if (typeof size === 'number') return size === -1 ? undefined : size;
    return shapeOf(size.of)[size.axis];
  });
  const rest = numbers.map((size) => (typeof size === 'number' ? size : -1));
  // One open size is what is left of the rest.
  if (open.length === 0 || (open.length === 1 && !numbers.includes(-1))) return reshape(builder, x, rest, known);
  const parts = numbers.map((size) => {
    return typeof size === 'number' ? builder.int64([size]) : sizeVector(builder, size.of, size.axis);
  });
  const type = { elementType: elementTypeOf(x), shape: known };
  return builder.node('Reshape', [x, concat(builder, parts, 0)], type);
}

/** The size of a dimension as an int64 vector of one element. */
export function sizeVector(builder: GraphBuilder, x: Value, axis: number): Value {
  const size = staticSize(x, axis);
  if (size !== undefined) return builder.int64([size]);
  const rank = shapeOf(x).length;
  const shape = builder.node('Shape', [x], { elementType: 'int64', shape: [rank] });
  const at = axis < 0 ? axis + rank : axis;
  return slice(builder, shape, [{ axis: 0, start: at, end: at + 1 }]);
}
