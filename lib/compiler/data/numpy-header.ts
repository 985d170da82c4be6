/**
 * The header of NumPy's .npy format, versions 1 to 3 (numpy/lib/format.py says what it holds): a magic number, a length, and a Python
 * dictionary of which only the form that NumPy writes is read.
 */
import type { DataType } from '../../artifact/manifest.js';
import { damaged, dataError, tooLarge } from './data-error.js';

export interface NumpyHeader {
  /** `string` for NumPy's fixed-width Unicode (`<U…`). */
  readonly dataType: DataType;
  /** Bytes of one element in the file. */
  readonly itemBytes: number;
  readonly bigEndian: boolean;
  readonly shape: readonly number[];
  /** Where the elements start. */
  readonly dataStart: number;
}

export const NUMPY_MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
/** Enough for the magic number, the version and the length of the dictionary. */
export const NUMPY_PREFIX_BYTES = 12;
/** NumPy itself refuses longer ones unless told otherwise. */
const MAX_DICTIONARY_BYTES = 10_000;
const MAX_RANK = 32;

const TYPES: Readonly<Record<string, DataType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

export function isNumpy(bytes: Uint8Array): boolean {
  return NUMPY_MAGIC.every((byte, index) => bytes[index] === byte);
}

/** How many bytes the header has, told by the first `NUMPY_PREFIX_BYTES` of a file. @throws ConfigurationError DATA_DAMAGED */
export function numpyHeaderBytes(prefix: Uint8Array, where: string): number {
  if (!isNumpy(prefix) || prefix.byteLength < 10) throw damaged(where, 'it does not begin as a NumPy array');
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const version = view.getUint8(6);
  if (version < 1 || version > 3) throw damaged(where, `its format version is ${version}, and 1 to 3 are known`);
  const short = version === 1;
  if (!short && prefix.byteLength < NUMPY_PREFIX_BYTES) throw damaged(where, 'it ends within its header');
  const length = short ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_DICTIONARY_BYTES) throw damaged(where, `its header claims ${length} bytes`);
  return (short ? 10 : 12) + length;
}

/** @throws ConfigurationError DATA_DAMAGED, DATA_VARIANT_UNSUPPORTED, DATA_TOO_LARGE */
export function parseNumpyHeader(bytes: Uint8Array, where: string): NumpyHeader {
  const dataStart = numpyHeaderBytes(bytes.subarray(0, NUMPY_PREFIX_BYTES), where);
  if (bytes.byteLength < dataStart) throw damaged(where, 'it ends within its header');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, dataStart).toString('utf8', bytes[6] === 1 ? 10 : 12);
  const entry = (key: string, value: string) => new RegExp(`'${key}'\\s*:\\s*${value}\\s*[,}]`).exec(text)?.[1];
  const description = entry('descr', `'([^']{1,32})'`);
  const fortran = entry('fortran_order', '(True|False)');
  const dims = entry('shape', '\\(([\\d\\s,]*)\\)');
  if (description === undefined) {
    if (/'descr'\s*:\s*\[/.test(text)) throw unsupported(where, 'a structured array');
    throw damaged(where, 'its header does not say what the elements are');
  }
  if (fortran === undefined || dims === undefined) throw damaged(where, 'its header does not say its shape');
  const shape = dims
    .split(',')
    .map((dim) => dim.trim())
    .filter((dim) => dim !== '')
    .map(Number);
  if (shape.length > MAX_RANK) throw damaged(where, `it has ${shape.length} dimensions`);
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (!Number.isSafeInteger(count * 8) || shape.some((dim) => !Number.isSafeInteger(dim))) {
    throw tooLarge(where, count, Number.MAX_SAFE_INTEGER);
  }
  if (fortran === 'True' && shape.filter((dim) => dim > 1).length > 1) {
    throw unsupported(where, 'an array in Fortran order; save it with numpy.ascontiguousarray');
  }
  return { ...elementOf(description, where), shape, dataStart };
}

function elementOf(description: string, where: string): Pick<NumpyHeader, 'dataType' | 'itemBytes' | 'bigEndian'> {
  const [, order = '', kind = '', digits = ''] = /^([<>|=]?)([a-zA-Z])(\d{1,6})$/.exec(description) ?? [];
  const bigEndian = order === '>';
  if (kind === 'U') return { dataType: 'string', itemBytes: Number(digits) * 4, bigEndian };
  const dataType = TYPES[kind + digits];
  if (dataType === undefined) throw unsupported(where, `an array of ${JSON.stringify(description)}`);
  return { dataType, itemBytes: Number(digits), bigEndian };
}

function unsupported(where: string, what: string) {
  return dataError(
    'DATA_VARIANT_UNSUPPORTED',
    `${where} holds ${what}.`,
    'Arrays of float16/32/64, integers, bool and fixed-width text in C order are read.',
  );
}
