/** Types of elements, and the sizes of their arrays. */
import type { Cursor } from './cursor.js';
import { damaged, unsupported } from './hdf5-error.js';

export type Datatype =
  | { readonly kind: 'integer'; readonly size: number; readonly signed: boolean }
  | { readonly kind: 'float'; readonly size: number }
  /** Of a fixed number of bytes; what is left is filled with NULs or spaces. */
  | { readonly kind: 'text'; readonly size: number; readonly padding: 'nul' | 'space' }
  /** Of any length, in a global heap. */
  | { readonly kind: 'variable-text'; readonly size: number }
  /** Bytes that HDF5 knows nothing of: bfloat16 of Keras. */
  | { readonly kind: 'opaque'; readonly size: number }
  /** h5py writes bool so. */
  | { readonly kind: 'enumeration'; readonly size: number };

const CLASSES = [
  'integer',
  'float',
  'time',
  'text',
  'bit field',
  'opaque',
  'compound',
  'reference',
  'enumeration',
  'variable',
  'array',
];

/** @throws ModelFormatError HDF5_UNSUPPORTED, HDF5_DAMAGED */
export function readDatatype(cursor: Cursor): Datatype {
  const at = cursor.position;
  const classAndVersion = cursor.u8();
  const bits = cursor.u8();
  cursor.skip(2);
  const size = cursor.u32();
  if (size === 0) throw damaged('a type has no bytes', at);
  const isBigEndian = (bits & 1) !== 0;
  switch (classAndVersion & 0x0f) {
    case 0: {
      const offset = cursor.u16();
      const precision = cursor.u16();
      if (isBigEndian) throw unsupported('big-endian numbers', at);
      if (![1, 2, 4, 8].includes(size) || offset !== 0 || precision !== 8 * size)
        throw unsupported(`integers of ${precision} bits`, at);
      return { kind: 'integer', size, signed: (bits & 8) !== 0 };
    }
    case 1: {
      if (isBigEndian) throw unsupported('big-endian numbers', at);
      checkFloat(cursor, size, at);
      return { kind: 'float', size };
    }
    case 3:
      return { kind: 'text', size, padding: (bits & 0x0f) === 2 ? 'space' : 'nul' };
    case 5:
      return { kind: 'opaque', size };
    case 8:
      if (size !== 1) throw unsupported('enumerations', at);
      return { kind: 'enumeration', size };
    case 9:
      if ((bits & 0x0f) !== 1) throw unsupported('lists of variable length', at);
      return { kind: 'variable-text', size };
    default:
      throw unsupported(`elements of the class '${CLASSES[classAndVersion & 0x0f] ?? 'unknown'}'`, at);
  }
}

/** [exponent's bits, fraction's bits, bias] of IEEE 754 by bytes. */
const IEEE: Readonly<Record<number, readonly [number, number, number]>> = {
  2: [5, 10, 15],
  4: [8, 23, 127],
  8: [11, 52, 1023],
};

function checkFloat(cursor: Cursor, size: number, at: number): void {
  cursor.skip(2);
  const precision = cursor.u16();
  cursor.skip(1);
  const exponent = cursor.u8();
  cursor.skip(1);
  const fraction = cursor.u8();
  const bias = cursor.u32();
  const expected = IEEE[size];
  const holds =
    expected?.[0] === exponent && expected[1] === fraction && expected[2] === bias && precision === 8 * size;
  if (!holds) throw unsupported(`floating point of ${precision} bits that is not IEEE 754`, at);
}

const MAX_RANK = 32;

/** Sizes of an array; [] is a scalar, undefined an array without elements (null). */
export function readDataspace(cursor: Cursor): readonly number[] | undefined {
  const at = cursor.position;
  const version = cursor.u8();
  const rank = cursor.u8();
  cursor.skip(1);
  if (version === 1) cursor.skip(5);
  else if (version !== 2) throw damaged(`a shape has the version ${version}`, at);
  else if (cursor.u8() === 2) return undefined;
  if (rank > MAX_RANK) throw damaged(`an array has ${rank} dimensions`, at);
  return Array.from({ length: rank }, () => cursor.length());
}

/** @throws ModelFormatError HDF5_DAMAGED where no file holds so many */
export function countOf(dims: readonly number[]): number {
  const count = dims.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count)) throw damaged(`an array has the shape [${dims.join(', ')}]`);
  return count;
}
