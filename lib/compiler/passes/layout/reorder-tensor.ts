/** Constants in another order of axes: the same bytes, moved. */
import { elementBits } from '../../ir/element-type.js';
import { Tensor } from '../../ir/tensor.js';
import { stridesOf } from '../evaluation/units.js';
import { isSorted, type Order, reordered } from './order.js';

/** Elements under a byte are packed, and strings are no bytes: constants of these are left alone. */
export function canReorder(tensor: Tensor): boolean {
  return tensor.elementType !== 'string' && elementBits(tensor.elementType) % 8 === 0;
}

/** Elements are copied whole, so that a NaN keeps its bits. Takes no memory but the result's. */
export function reorderTensor(tensor: Tensor, order: Order): Tensor {
  if (isSorted(order)) return tensor;
  const dims = reordered(tensor.dims, order);
  const strides = reordered(stridesOf(tensor.dims), order);
  const size = elementBits(tensor.elementType) / 8;
  // Axes at the end that stay together move as one block.
  let fixed = order.length;
  while (fixed > 0 && order[fixed - 1] === fixed - 1) fixed--;
  const block = dims.slice(fixed).reduce((product, dim) => product * dim, size);
  const [from, to] = [tensor.bytes(), new Uint8Array(tensor.byteLength)];
  const outer = dims.slice(0, fixed);
  const coordinates = new Array<number>(fixed).fill(0);
  let source = 0;
  for (let target = 0; target < to.byteLength; target += block) {
    const start = source * size;
    if (block <= 8) for (let byte = 0; byte < block; byte++) to[target + byte] = from[start + byte] as number;
    else to.set(from.subarray(start, start + block), target);
    for (let axis = fixed - 1; axis >= 0; axis--) {
      const next = (coordinates[axis] as number) + 1;
      source += strides[axis] as number;
      if (next < (outer[axis] as number)) {
        coordinates[axis] = next;
        break;
      }
      source -= (strides[axis] as number) * (outer[axis] as number);
      coordinates[axis] = 0;
    }
  }
  return new Tensor(tensor.elementType, dims, { kind: 'bytes', bytes: to });
}

/** The same bytes under other dimensions of the same product. */
export function reshapeTensor(tensor: Tensor, dims: readonly number[]): Tensor {
  return new Tensor(tensor.elementType, dims, { kind: 'bytes', bytes: tensor.bytes() });
}
