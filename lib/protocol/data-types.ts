/** Tensor element types: the names of Open Inference Protocol V2 beside onnxruntime's, and how each is held. */
import type { DataType } from '../artifact/manifest.js';
import type { NumericData } from './tensor.js';

export type V2DataType =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

export type NumericType = Exclude<DataType, 'string'>;

interface NumericArray {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): NumericData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericData;
}

const V2_NAMES: Readonly<Record<DataType, V2DataType>> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};

const ARRAYS: Readonly<Record<NumericType, NumericArray>> = {
  bool: Uint8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** Largest and smallest integer of each type that JSON.parse reads exactly. */
export const INTEGER_RANGES = {
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  uint32: [0, 0xffffffff],
  int8: [-0x80, 0x7f],
  int16: [-0x8000, 0x7fff],
  int32: [-0x80000000, 0x7fffffff],
} as const satisfies Partial<Record<DataType, readonly [number, number]>>;

/** Largest and smallest integer of the types that JSON.parse does not read exactly. */
export const BIG_INTEGER_RANGES = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const satisfies Partial<Record<DataType, readonly [bigint, bigint]>>;

export function v2DataType(dataType: DataType): V2DataType {
  return V2_NAMES[dataType];
}

/** onnxruntime's name of a V2 data type, or undefined where there is no such type. */
export function fromV2DataType(name: unknown): DataType | undefined {
  const found = Object.entries(V2_NAMES).find(([, v2]) => v2 === name);
  // The keys of V2_NAMES are data types; Object.entries widens them.
  return found?.[0] as DataType | undefined;
}

export function bytesPerElement(dataType: NumericType): number {
  return ARRAYS[dataType].BYTES_PER_ELEMENT;
}

/** Zeros. */
export function allocate(dataType: NumericType, length: number): NumericData {
  return new ARRAYS[dataType](length);
}

/** A view on `bytes` where they lie on a multiple of the element's size, else a copy. */
export function viewOrCopy(dataType: NumericType, bytes: Uint8Array): NumericData {
  const size = bytesPerElement(dataType);
  const aligned = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
  return new ARRAYS[dataType](aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
}
