/**
 * `manifest.json`: the only thing that the compiler, the constructs and the functions share.
 * Plain types, no code that costs a cold start.
 */
import type { Task } from './task.js';

export type { Task } from './task.js';

export const MANIFEST_FILE = 'manifest.json';
export const MANIFEST_SCHEMA_VERSION = 1;

/** Lambda's names of its processors. */
export type Architecture = 'arm64' | 'x86_64';

/** Tensor element types, in onnxruntime's names. */
export type DataType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'string';

/** A fixed size, the name of a symbolic dimension, or null for one that has neither. */
export type Dimension = number | string | null;

export interface TensorSignature {
  readonly name: string;
  readonly dataType: DataType;
  /** `[]` is a scalar; null is an unknown rank. */
  readonly shape: readonly Dimension[] | null;
}

export interface Signature {
  readonly inputs: readonly TensorSignature[];
  readonly outputs: readonly TensorSignature[];
}

/** onnxruntime session options that an artifact carries; threads are the function's business. */
export interface SessionSettings {
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'all';
  readonly enableCpuMemArena?: boolean;
  readonly enableMemPattern?: boolean;
  /** Session config entries by their full name, for example `session.disable_prepacking`. */
  readonly configEntries?: Readonly<Record<string, string>>;
}

export interface ArtifactFile {
  /** Relative to the artifact's folder, with forward slashes. */
  readonly path: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface Manifest {
  readonly schemaVersion: typeof MANIFEST_SCHEMA_VERSION;
  /** The model's name: its folder, its routes, its layer. */
  readonly name: string;
  /** The integer version of model.json that TensorFlow Serving clients ask for. */
  readonly modelVersion: number;
  /** sha256 of the manifest without this key, in canonical JSON; it covers every file by its digest. */
  readonly contentHash: string;
  /** The onnxruntime version that the artifact was checked with. */
  readonly onnxruntimeVersion: string;
  readonly signature: Signature;
  readonly task: Task;
  readonly session: SessionSettings;
  /** Path of the ONNX file inside the artifact. */
  readonly model: string;
  /** Every file but manifest.json and report.json, sorted by path. */
  readonly files: readonly ArtifactFile[];
}
