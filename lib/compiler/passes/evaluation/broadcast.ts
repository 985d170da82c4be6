/** Numpy-style broadcasting, as ONNX defines it. */
import { NotEvaluated } from './evaluator.js';
import { stridedIndices, stridesOf } from './units.js';

/** The shape that all of `shapes` broadcast to. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const dims = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (const [index, size] of shape.entries()) {
      const axis = rank - shape.length + index;
      const other = dims[axis] ?? 1;
      if (other !== 1 && size !== 1 && other !== size)
        throw new NotEvaluated(`sizes ${other} and ${size} do not broadcast`);
      if (other === 1) dims[axis] = size;
    }
  }
  return dims;
}

/** For each position of the result, the position in an operand of shape `shape`. */
export function broadcastIndices(shape: readonly number[], dims: readonly number[]): Uint32Array {
  const strides = stridesOf(shape);
  const padded = dims.map((_, axis) => {
    const own = axis - (dims.length - shape.length);
    return own < 0 || shape[own] === 1 ? 0 : (strides[own] ?? 0);
  });
  return stridedIndices(dims, padded);
}
