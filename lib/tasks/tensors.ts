/** What goes into a session and what comes out of it, without onnxruntime's classes. */
import type { DataType } from '../artifact/manifest.js';

export type TensorData =
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

export interface TensorFeed {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** `data` in row-major order. */
export interface TensorOutput {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
}

export type TensorFeeds = Readonly<Record<string, TensorFeed>>;
export type TensorOutputs = Readonly<Record<string, TensorOutput>>;
