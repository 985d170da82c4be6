/** Transposes without a table of indices: weights are large, and most have elements of 32 bits. */
import { stridesOf } from './units.js';

/** The elements of a tensor of shape `dims` in the order of axes `order`. */
export function transposedWords(from: Uint32Array, dims: readonly number[], order: readonly number[]): Uint32Array {
  const groups = mergedAxes(dims, order);
  const inner = groups.pop() ?? { size: 1, stride: 1 };
  const to = new Uint32Array(from.length);
  const coordinates = groups.map(() => 0);
  let current = 0;
  for (let position = 0; position < to.length; ) {
    for (let index = 0, source = current; index < inner.size; index++, source += inner.stride) {
      to[position++] = from[source] as number;
    }
    for (let axis = groups.length - 1; axis >= 0; axis--) {
      const { size, stride } = groups[axis] as AxisGroup;
      const coordinate = (coordinates[axis] as number) + 1;
      current += stride;
      coordinates[axis] = coordinate;
      if (coordinate < size) break;
      current -= stride * size;
      coordinates[axis] = 0;
    }
  }
  return to;
}

interface AxisGroup {
  readonly size: number;
  /** In the tensor that is read. */
  readonly stride: number;
}

/** Axes of the result, those together that stay beside each other. */
function mergedAxes(dims: readonly number[], order: readonly number[]): AxisGroup[] {
  const strides = stridesOf(dims);
  const groups: AxisGroup[] = [];
  for (const [index, axis] of order.entries()) {
    const [size, stride] = [dims[axis] ?? 1, strides[axis] ?? 1];
    const before = index > 0 && order[index - 1] === axis - 1 ? groups.pop() : undefined;
    groups.push({ size: size * (before?.size ?? 1), stride });
  }
  return groups;
}
