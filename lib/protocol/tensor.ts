import type { DataType } from '../artifact/manifest.js';

/**
 * A tensor's elements in row-major order: float16 as its bits in a Uint16Array, bool as 0 and 1 in a Uint8Array, as onnxruntime has them.
 */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | readonly string[];

export type NumericData = Exclude<TensorData, readonly string[]>;

export interface NamedTensor {
  readonly name: string;
  readonly dataType: DataType;
  /** `[]` is a scalar. */
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** `json`: numbers in the document; `binary`: raw bytes after it, little-endian. */
export type TensorForm = 'json' | 'binary';

/** The elements' bytes, without a copy. Every platform that onnxruntime-node runs on is little-endian, as V2's binary form is. */
export function bytesOf(data: NumericData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export function isStrings(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}
