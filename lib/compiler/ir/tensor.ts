/** Constant tensors. Immutable: a rewrite makes a new one. Weights are views on the file they came from until someone asks for more. */
import type { TensorProto } from 'onnx-buf';
import { GraphError } from '../../errors.js';
import { type ElementType, elementBits, storageBytes } from './element-type.js';
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from './float16.js';

/** Where the elements are. */
export type TensorStorage =
  /** Raw little-endian elements, packed as in TensorProto.raw_data. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** A range of an external data file, read on demand; `file` is absolute and was checked to lie beside the model. */
  | { readonly kind: 'external'; readonly file: string; readonly offset: number; readonly length: number }
  | { readonly kind: 'strings'; readonly strings: readonly Uint8Array[] };

/** A typed view on elements: float16, bfloat16 and 8-bit floats as their raw bits, bool as 0 and 1. */
export type TypedElements =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Reads a range of an external data file; set by the module that knows files, so that the IR needs none. */
export type ExternalDataLoader = (storage: Extract<TensorStorage, { kind: 'external' }>) => Uint8Array;

export interface TensorOptions {
  /** The message it was read from, so that an untouched tensor is written back to the byte. */
  readonly origin?: TensorProto;
  readonly loadExternal?: ExternalDataLoader;
}

/** Product of dimensions; refuses what no file can hold. */
export function elementCount(dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  if (!Number.isSafeInteger(count) || dims.some((dim) => dim < 0 || !Number.isInteger(dim))) {
    throw new GraphError({
      code: 'TENSOR_DIMENSIONS',
      message: `A tensor has the dimensions [${dims.join(', ')}], which are not those of a constant.`,
      advice: 'Export the model again; every dimension of a weight must be a whole number of at least 0.',
    });
  }
  return count;
}

export class Tensor {
  readonly elementType: ElementType;
  readonly dims: readonly number[];
  readonly storage: TensorStorage;
  readonly origin: TensorProto | undefined;
  readonly #loadExternal: ExternalDataLoader | undefined;

  /** @throws GraphError TENSOR_SIZE if the storage's length is not what dims and element type ask for. */
  constructor(elementType: ElementType, dims: readonly number[], storage: TensorStorage, options: TensorOptions = {}) {
    this.elementType = elementType;
    this.dims = dims;
    this.storage = storage;
    this.origin = options.origin;
    this.#loadExternal = options.loadExternal;
    const count = elementCount(dims);
    const expected = elementType === 'string' ? count : storageBytes(elementType, count);
    const actual =
      storage.kind === 'strings'
        ? storage.strings.length
        : storage.kind === 'bytes'
          ? storage.bytes.byteLength
          : storage.length;
    if (expected !== actual || (elementType === 'string') !== (storage.kind === 'strings')) {
      throw new GraphError({
        code: 'TENSOR_SIZE',
        message: `A ${elementType} tensor of shape [${dims.join(', ')}] needs ${expected} ${elementType === 'string' ? 'strings' : 'bytes'} and got ${actual}.`,
        advice: 'The file is damaged or was written by a faulty exporter; export the model again.',
      });
    }
  }

  static fromTyped(elementType: ElementType, dims: readonly number[], elements: TypedElements): Tensor {
    return new Tensor(elementType, dims, {
      kind: 'bytes',
      bytes: new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength),
    });
  }

  /** From plain numbers, rounded to the element type (float16 and bfloat16 half to even, integers must fit). */
  static fromNumbers(elementType: ElementType, dims: readonly number[], numbers: ArrayLike<number>): Tensor {
    return Tensor.fromTyped(elementType, dims, toTyped(elementType, numbers));
  }

  static int64(values: readonly (number | bigint)[], dims: readonly number[] = [values.length]): Tensor {
    return Tensor.fromTyped(
      'int64',
      dims,
      BigInt64Array.from(values, (value) => BigInt(value)),
    );
  }

  static scalar(elementType: ElementType, value: number): Tensor {
    return Tensor.fromNumbers(elementType, [], [value]);
  }

  get count(): number {
    return elementCount(this.dims);
  }

  /** Bytes of the elements in raw storage; for strings the sum of their lengths. */
  get byteLength(): number {
    const { storage } = this;
    if (storage.kind === 'strings') return storage.strings.reduce((sum, string) => sum + string.byteLength, 0);
    return storage.kind === 'bytes' ? storage.bytes.byteLength : storage.length;
  }

  /** Raw little-endian elements. A view on the file where it is inline; read anew at each call where it is external. */
  bytes(): Uint8Array {
    switch (this.storage.kind) {
      case 'bytes':
        return this.storage.bytes;
      case 'external':
        if (this.#loadExternal === undefined) throw new TypeError('an external tensor without a loader');
        return this.#loadExternal(this.storage);
      case 'strings':
        throw new TypeError('a string tensor has no raw bytes');
    }
  }

  /** The raw elements in pieces of at most `size` bytes, so that an external tensor need not be held whole. */
  *chunks(size: number): Generator<Uint8Array> {
    const { storage } = this;
    for (let start = 0; start < this.byteLength; start += size) {
      const length = Math.min(size, this.byteLength - start);
      if (storage.kind !== 'external' || this.#loadExternal === undefined) {
        yield this.bytes().subarray(start, start + length);
      } else yield this.#loadExternal({ ...storage, offset: storage.offset + start, length });
    }
  }

  /** A typed view on the elements; copies only where the bytes are misaligned. Elements under 8 bits come packed, as bytes. */
  typed(): TypedElements {
    const bytes = this.bytes();
    const size = Math.max(1, elementBits(this.elementType) / 8);
    // Not slice(): a Buffer's is a view.
    const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
    const length = aligned.byteLength / size;
    const { buffer, byteOffset } = aligned;
    switch (this.elementType) {
      case 'float32':
        return new Float32Array(buffer, byteOffset, length);
      case 'float64':
        return new Float64Array(buffer, byteOffset, length);
      case 'int8':
        return new Int8Array(buffer, byteOffset, length);
      case 'int16':
        return new Int16Array(buffer, byteOffset, length);
      case 'uint16':
      case 'float16':
      case 'bfloat16':
        return new Uint16Array(buffer, byteOffset, length);
      case 'int32':
        return new Int32Array(buffer, byteOffset, length);
      case 'uint32':
        return new Uint32Array(buffer, byteOffset, length);
      case 'int64':
        return new BigInt64Array(buffer, byteOffset, length);
      case 'uint64':
        return new BigUint64Array(buffer, byteOffset, length);
      case 'complex64':
      case 'complex128':
        return this.elementType === 'complex64'
          ? new Float32Array(buffer, byteOffset, aligned.byteLength / 4)
          : new Float64Array(buffer, byteOffset, aligned.byteLength / 8);
      default:
        return aligned;
    }
  }

  /**
   * The elements as numbers; float16 and bfloat16 decoded.
   * @throws GraphError TENSOR_NUMBERS for types that have no such form, and for 64-bit integers beyond 2^53.
   */
  numbers(): number[] {
    const typed = this.typed();
    switch (this.elementType) {
      case 'float16':
        return Array.from(typed as Uint16Array, float16ToNumber);
      case 'bfloat16':
        return Array.from(typed as Uint16Array, bfloat16ToNumber);
      case 'int64':
      case 'uint64': {
        const numbers = Array.from(typed as BigInt64Array, Number);
        if (numbers.every(Number.isSafeInteger)) return numbers;
        break;
      }
      case 'float32':
      case 'float64':
      case 'int8':
      case 'uint8':
      case 'int16':
      case 'uint16':
      case 'int32':
      case 'uint32':
      case 'bool':
        return Array.from(typed as Float32Array);
      default:
    }
    throw new GraphError({
      code: 'TENSOR_NUMBERS',
      message: `A ${this.elementType} tensor of shape [${this.dims.join(', ')}] cannot be read as plain numbers.`,
      advice: 'Use typed() or bytes() for it.',
    });
  }
}

/** @throws RangeError for a number that does not fit an integer type, TypeError for types that numbers cannot make. */
function toTyped(elementType: ElementType, numbers: ArrayLike<number>): TypedElements {
  switch (elementType) {
    case 'float32':
      return Float32Array.from(numbers);
    case 'float64':
      return Float64Array.from(numbers);
    case 'float16':
      return Uint16Array.from(numbers, numberToFloat16);
    case 'bfloat16':
      return Uint16Array.from(numbers, numberToBfloat16);
    case 'int64':
      return BigInt64Array.from(Array.from(numbers, BigInt));
    case 'uint64':
      return BigUint64Array.from(Array.from(numbers, BigInt));
    case 'bool':
      return Uint8Array.from(numbers, (value) => (value === 0 ? 0 : 1));
    case 'int8':
      return exact(Int8Array.from(numbers), numbers);
    case 'uint8':
      return exact(Uint8Array.from(numbers), numbers);
    case 'int16':
      return exact(Int16Array.from(numbers), numbers);
    case 'uint16':
      return exact(Uint16Array.from(numbers), numbers);
    case 'int32':
      return exact(Int32Array.from(numbers), numbers);
    case 'uint32':
      return exact(Uint32Array.from(numbers), numbers);
    default:
      throw new TypeError(`numbers do not make a ${elementType} tensor`);
  }
}

function exact<T extends Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array>(
  typed: T,
  numbers: ArrayLike<number>,
): T {
  for (let index = 0; index < typed.length; index++) {
    if (typed[index] !== numbers[index]) throw new RangeError(`${numbers[index]} does not fit the element type`);
  }
  return typed;
}
