/** From the bytes of a NumPy array to elements, and from one element type to the one that a model takes. */
import type { DataType } from '../../artifact/manifest.js';
import { float16ToNumber, numberToFloat16 } from '../ir/float16.js';
import type { RuntimeTensor } from '../runtime/session.js';
import { dataError } from './data-error.js';
import type { NumpyHeader } from './numpy-header.js';

type TensorElements = RuntimeTensor['data'];

/** `bytes` become the elements' own: they are swapped in place where the file is big-endian. */
export function numpyElements(bytes: Uint8Array, { dataType, itemBytes, bigEndian }: NumpyHeader): TensorElements {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  if (bigEndian) swap(aligned, dataType === 'string' ? 4 : itemBytes);
  const { buffer, byteOffset, byteLength } = aligned;
  const of = <T>(Elements: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T) =>
    new Elements(buffer, byteOffset, byteLength / itemBytes);
  switch (dataType) {
    case 'float32':
      return of(Float32Array);
    case 'float64':
      return of(Float64Array);
    case 'float16':
    case 'uint16':
      return of(Uint16Array);
    case 'int8':
      return of(Int8Array);
    case 'int16':
      return of(Int16Array);
    case 'int32':
      return of(Int32Array);
    case 'int64':
      return of(BigInt64Array);
    case 'uint8':
    case 'bool':
      return of(Uint8Array);
    case 'uint32':
      return of(Uint32Array);
    case 'uint64':
      return of(BigUint64Array);
    case 'string':
      return texts(aligned, itemBytes);
  }
}

function swap(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 2) buffer.swap16();
  else if (width === 4) buffer.swap32();
  else if (width === 8) buffer.swap64();
}

/** UTF-32, padded with zeros. A number that is no character becomes U+FFFD. */
function texts(bytes: Uint8Array, itemBytes: number): string[] {
  if (itemBytes === 0) return [];
  const points = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const width = itemBytes / 4;
  return Array.from({ length: points.length / width }, (_, index) => {
    let text = '';
    for (const point of points.subarray(index * width, (index + 1) * width)) {
      if (point === 0) break;
      text += String.fromCodePoint(point > 0x10ffff ? 0xfffd : point);
    }
    return text;
  });
}

/** Of what a JavaScript number can hold. */
const INTEGER_LIMITS: Readonly<Partial<Record<DataType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  bool: [0, 1],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

/** The lowest and the highest number of an integer type, as far as numbers of JavaScript are exact. */
export function integerLimits(dataType: DataType): readonly [number, number] {
  return INTEGER_LIMITS[dataType] ?? [0, 0];
}

/**
 * Elements as another type: floats are rounded, integers must fit.
 * @throws ConfigurationError DATA_INPUT_TYPE
 */
export function convertElements(data: TensorElements, from: DataType, to: DataType, where: string): TensorElements {
  if (from === to) return data;
  if (from === 'string' || to === 'string') throw mismatch(where, from, to);
  const count = data.length;
  const numberAt: (index: number) => number =
    from === 'float16' ? (index) => float16ToNumber(Number(data[index])) : (index) => Number(data[index]);
  if (to === 'float32') return Float32Array.from({ length: count }, (_, index) => numberAt(index));
  if (to === 'float64') return Float64Array.from({ length: count }, (_, index) => numberAt(index));
  if (to === 'float16') return Uint16Array.from({ length: count }, (_, index) => numberToFloat16(numberAt(index)));
  const limits = INTEGER_LIMITS[to];
  if (limits === undefined || from.startsWith('float')) throw mismatch(where, from, to);
  const integerAt = (index: number) => {
    const value = numberAt(index);
    if (value < limits[0] || value > limits[1]) {
      throw dataError('DATA_INPUT_TYPE', `${where} holds ${value}, which is no ${to}.`, `Save it as ${to}.`);
    }
    return value;
  };
  return fromIntegers(to, count, integerAt);
}

/** Elements of an integer type. */
export function fromIntegers(to: DataType, count: number, integerAt: (index: number) => number): TensorElements {
  const at = (_: unknown, index: number) => integerAt(index);
  const bigAt = (_: unknown, index: number) => BigInt(integerAt(index));
  switch (to) {
    case 'int8':
      return Int8Array.from({ length: count }, at);
    case 'int16':
      return Int16Array.from({ length: count }, at);
    case 'uint16':
      return Uint16Array.from({ length: count }, at);
    case 'int32':
      return Int32Array.from({ length: count }, at);
    case 'uint32':
      return Uint32Array.from({ length: count }, at);
    case 'int64':
      return BigInt64Array.from({ length: count }, bigAt);
    case 'uint64':
      return BigUint64Array.from({ length: count }, bigAt);
    default:
      return Uint8Array.from({ length: count }, at);
  }
}

function mismatch(where: string, from: DataType, to: DataType) {
  return dataError(
    'DATA_INPUT_TYPE',
    `${where} is ${from}; the model takes ${to}.`,
    `Save the array as ${to}, for example with array.astype("${to}").`,
  );
}
