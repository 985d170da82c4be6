/** TensorProto keeps few elements as lists, and leaves out those at the end that repeat the last. */
import { ModelFormatError } from '../../../errors.js';
import { typeBytes } from './data-type.js';
import type { TensorFlowTensor, TensorFlowType } from './graph-def.js';

/** What a few elements may be repeated to: a small file must not fill the memory. */
const MAX_REPEATED_BYTES = 2 ** 26;

/** @throws ModelFormatError TENSOR_SHAPE for dimensions that no constant has */
export function countOf(dims: readonly number[], place: string): number {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (Number.isSafeInteger(count) && dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) return count;
  throw new ModelFormatError({
    code: 'TENSOR_SHAPE',
    message: `${place}: a constant cannot have the shape [${dims.join(', ')}].`,
    advice: 'The file is damaged or was written by a faulty exporter; export the model again.',
  });
}

/**
 * A tensor of raw elements, the last one repeated up to the number that `dims` asks for; none at all stands for zeros.
 * @param bytes as many whole elements as the message holds
 * @throws ModelFormatError TENSOR_SHAPE, TENSOR_TYPE, TENSOR_SIZE (more elements than dims, or no whole number of them, or too many to repeat)
 */
export function repeatedTensor(
  dataType: TensorFlowType,
  dims: readonly number[],
  bytes: Uint8Array,
  place: string,
): TensorFlowTensor {
  const count = countOf(dims, place);
  const size = typeBytes(dataType);
  if (size === 0) {
    throw new ModelFormatError({
      code: 'TENSOR_TYPE',
      message: `${place}: constants of type '${dataType}' cannot be read.`,
      advice: 'Export the model with numbers in place of what that type holds.',
    });
  }
  const needed = count * size;
  if (bytes.byteLength === needed) return { dataType, dims, bytes };
  const isShort = bytes.byteLength < needed && bytes.byteLength % size === 0;
  if (!isShort || needed > MAX_REPEATED_BYTES) {
    throw new ModelFormatError({
      code: 'TENSOR_SIZE',
      message: `${place}: a ${dataType} constant of shape [${dims.join(', ')}] needs ${needed} bytes and has ${bytes.byteLength}.`,
      advice: 'The file is damaged or was written by a faulty exporter; export the model again.',
    });
  }
  const filled = new Uint8Array(needed);
  filled.set(bytes);
  const last = bytes.subarray(Math.max(0, bytes.byteLength - size));
  if (last.some((byte) => byte !== 0)) {
    for (let offset = bytes.byteLength; offset < needed; offset += size) filled.set(last, offset);
  }
  return { dataType, dims, bytes: filled };
}

/** Raw elements of a list of numbers, as TensorProto's `float_val`, `int_val` and the like hold them. Half and bfloat16 come as their bits. */
export function rawElements(dataType: TensorFlowType, numbers: readonly (number | bigint)[]): Uint8Array {
  const size = typeBytes(dataType);
  const parts = dataType.startsWith('complex') ? 2 : 1;
  const bytes = new Uint8Array((numbers.length * size) / parts);
  const view = new DataView(bytes.buffer);
  const write = elementWriter(view, dataType);
  for (const [index, number] of numbers.entries()) write((index * size) / parts, number);
  return bytes;
}

function elementWriter(view: DataView, dataType: TensorFlowType): (at: number, value: number | bigint) => void {
  switch (dataType) {
    case 'float':
    case 'complex64':
      return (at, value) => view.setFloat32(at, Number(value), true);
    case 'double':
    case 'complex128':
      return (at, value) => view.setFloat64(at, Number(value), true);
    case 'int64':
    case 'uint64':
      return (at, value) => view.setBigInt64(at, BigInt(value), true);
    case 'bool':
      return (at, value) => view.setUint8(at, Number(value) === 0 ? 0 : 1);
    default:
  }
  const size = typeBytes(dataType);
  if (size === 1) return (at, value) => view.setInt8(at, Number(value));
  if (size === 2) return (at, value) => view.setInt16(at, Number(value), true);
  return (at, value) => view.setInt32(at, Number(value), true);
}
