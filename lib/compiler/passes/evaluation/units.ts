/** Elements as units that are moved and never interpreted, so that a NaN keeps its bits. */
import { type ElementType, elementBits } from '../../ir/element-type.js';
import { Tensor } from '../../ir/tensor.js';
import { admit, type EvaluationContext, NotEvaluated } from './evaluator.js';

export type Units = Uint8Array | Uint16Array | Uint32Array | BigUint64Array | Uint8Array[];

/** @throws NotEvaluated for elements under 8 and over 64 bits */
export function unitsOf(tensor: Tensor): Units {
  if (tensor.storage.kind === 'strings') return [...tensor.storage.strings];
  const bits = elementBits(tensor.elementType);
  const raw = tensor.bytes();
  const bytes = raw.byteOffset % 8 === 0 ? raw : raw.slice();
  const { buffer, byteOffset, byteLength } = bytes;
  switch (bits) {
    case 8:
      return bytes;
    case 16:
      return new Uint16Array(buffer, byteOffset, byteLength / 2);
    case 32:
      return new Uint32Array(buffer, byteOffset, byteLength / 4);
    case 64:
      return new BigUint64Array(buffer, byteOffset, byteLength / 8);
    default:
      throw new NotEvaluated(`elements of type ${tensor.elementType} are not moved`);
  }
}

/** @throws NotEvaluated for elements under 8 and over 64 bits */
export function allocateUnits(elementType: ElementType, count: number): Units {
  if (elementType === 'string') return new Array<Uint8Array>(count).fill(new Uint8Array());
  switch (elementBits(elementType)) {
    case 8:
      return new Uint8Array(count);
    case 16:
      return new Uint16Array(count);
    case 32:
      return new Uint32Array(count);
    case 64:
      return new BigUint64Array(count);
    default:
      throw new NotEvaluated(`elements of type ${elementType} are not moved`);
  }
}

/** `to[toIndex] = from[fromIndex]`; both hold units of one element type. */
export function moveUnit(from: Units, fromIndex: number, to: Units, toIndex: number): void {
  // The kinds are equal, which the type system cannot follow.
  (to as Uint8Array)[toIndex] = (from as Uint8Array)[fromIndex] as number;
}

export function tensorOfUnits(elementType: ElementType, dims: readonly number[], units: Units): Tensor {
  return Array.isArray(units)
    ? new Tensor(elementType, dims, { kind: 'strings', strings: units })
    : Tensor.fromTyped(elementType, dims, units);
}

/** The elements at `indices`, in that order. */
export function take(tensor: Tensor, dims: readonly number[], indices: ArrayLike<number>): Tensor {
  const from = unitsOf(tensor);
  const to = allocateUnits(tensor.elementType, indices.length);
  for (let index = 0; index < indices.length; index++) moveUnit(from, indices[index] ?? 0, to, index);
  return tensorOfUnits(tensor.elementType, dims, to);
}

/** The same elements under other dimensions. */
export function withDims(tensor: Tensor, dims: readonly number[]): Tensor {
  return tensor.storage.kind === 'strings'
    ? new Tensor(tensor.elementType, dims, tensor.storage)
    : new Tensor(tensor.elementType, dims, { kind: 'bytes', bytes: tensor.bytes() });
}

/** Steps between neighbours along each axis of a dense tensor. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) strides[axis] = (strides[axis + 1] ?? 1) * (dims[axis + 1] ?? 1);
  return strides;
}

/** For each position of a tensor of shape `dims`, in order: `offset` plus the position's coordinates times `strides`. */
export function stridedIndices(dims: readonly number[], strides: readonly number[], offset = 0): Uint32Array {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const indices = new Uint32Array(count);
  const coordinates = new Array<number>(dims.length).fill(0);
  let current = offset;
  for (let position = 0; position < count; position++) {
    indices[position] = current;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const [size, stride, coordinate] = [dims[axis] ?? 1, strides[axis] ?? 0, (coordinates[axis] ?? 0) + 1];
      current += stride;
      coordinates[axis] = coordinate;
      if (coordinate < size) break;
      current -= stride * size;
      coordinates[axis] = 0;
    }
  }
  return indices;
}

/** `count` elements that are all `tensor`'s one element. */
export function filled(tensor: Tensor, dims: readonly number[], context: EvaluationContext): Tensor {
  const count = admit(tensor.elementType, dims, context);
  return take(tensor, dims, new Uint32Array(count));
}
