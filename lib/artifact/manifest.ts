/**
 * `manifest.json`: the only thing that the compiler, the constructs and the functions share.
 * Plain types, no code that costs a cold start.
 */
import type { Task } from './task.js';

export type { Task } from './task.js';

export const MANIFEST_FILE = 'manifest.json';
/** Of an artifact: the files that its task names, by the paths that the task gives them. */
export const ASSETS_FOLDER = 'assets';
/** What `schemaVersion` says in the manifests of this version. */
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

/** An input or output of a model. */
export interface TensorSignature {
  /** As in the model. */
  readonly name: string;
  /** Of its elements. */
  readonly dataType: DataType;
  /** `[]` is a scalar; null is an unknown rank. */
  readonly shape: readonly Dimension[] | null;
}

/** What a model takes and gives. */
export interface Signature {
  /** Those that a request must have, in the model's order. */
  readonly inputs: readonly TensorSignature[];
  /** In the model's order. */
  readonly outputs: readonly TensorSignature[];
}

/** onnxruntime session options that an artifact carries; threads are the function's business. */
export interface SessionSettings {
  /** What onnxruntime rewrites when it loads the model. Default `all`. */
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Whether tensors come from an arena that keeps its memory between runs. Default true. */
  readonly enableCpuMemArena?: boolean;
  /** Whether a run's memory is planned from the shapes of the one before. Default true. */
  readonly enableMemPattern?: boolean;
  /** Session config entries by their full name, for example `session.disable_prepacking`. */
  readonly configEntries?: Readonly<Record<string, string>>;
}

/** A file of an artifact, with what proves that it is whole. */
export interface ArtifactFile {
  /** Relative to the artifact's folder, with forward slashes. */
  readonly path: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Its size. */
  readonly bytes: number;
}

/** `manifest.json` of an artifact. */
export interface Manifest {
  /** Readers refuse one that they do not know. */
  readonly schemaVersion: typeof MANIFEST_SCHEMA_VERSION;
  /** The model's name: its folder, its routes, its layer. */
  readonly name: string;
  /** The integer version of model.json that TensorFlow Serving clients ask for. */
  readonly modelVersion: number;
  /** sha256 of the manifest without this key, in canonical JSON; it covers every file by its digest. */
  readonly contentHash: string;
  /** The onnxruntime version that the artifact was checked with. */
  readonly onnxruntimeVersion: string;
  /** What the model takes and gives. */
  readonly signature: Signature;
  /** What the endpoint means to the person who calls it. */
  readonly task: Task;
  /** How the function opens the model. */
  readonly session: SessionSettings;
  /** Path of the ONNX file inside the artifact. */
  readonly model: string;
  /** Every file but manifest.json, report.json and the GPU variant, sorted by path. */
  readonly files: readonly ArtifactFile[];
}
