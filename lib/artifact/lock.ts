/** `model.lock.json`: what the search chose and why, so that every later build is fast and makes the same bytes. Plain types. */
import type { Architecture, SessionSettings } from './manifest.js';
import type { NodeRecipe, QuantizationParameters } from './recipe.js';

export const LOCK_FILE = 'model.lock.json';
/** Weights changed by data (bias correction, rounding, pruning), beside the lock. */
export const LOCK_WEIGHTS_FILE = 'model.lock.safetensors';
export const LOCK_VERSION = 1;

/** A weight in `LOCK_WEIGHTS_FILE`. */
export interface LockedWeight {
  /** The initializer that it replaces, in the normalized graph. */
  readonly tensor: string;
  /** Its name in the file: `tensor` and a digest of its content, so that architectures share what they agree on. */
  readonly stored: string;
  /** Present where the integers themselves are stored; absent for new float32 weights. */
  readonly parameters?: QuantizationParameters;
}

/** One number that was measured, with where: latencies mean nothing without their CPU. */
export interface Measurement {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  readonly cpu?: string;
}

/** What was measured, so that a build can tell whether it makes the same. */
export interface LockedArtifact {
  /** Of its manifest. Name, version and task count in it, so it may change where the model does not. */
  readonly contentHash: string;
  /** sha256 over its files, which builds are held to. */
  readonly files: string;
  /** Of all its files. */
  readonly bytes: number;
}

export interface ArchitectureLock {
  readonly recipes: readonly NodeRecipe[];
  readonly activations: readonly QuantizationParameters[];
  readonly weights: readonly LockedWeight[];
  readonly session: SessionSettings;
  readonly artifact: LockedArtifact;
  readonly measured: readonly Measurement[];
}

export interface Lock {
  readonly lockVersion: typeof LOCK_VERSION;
  /** Versions of cdk-onnx and onnxruntime that made it. */
  readonly tool: string;
  readonly onnxruntime: string;
  /** sha256, lower-case hexadecimal. */
  readonly digests: LockDigests;
  readonly architectures: Readonly<Partial<Record<Architecture, ArchitectureLock>>>;
}

export interface LockDigests {
  /** The source file's; external data that it names shows in the graph's. */
  readonly source: string;
  /** Of the graph that recipes speak of: normalized, and rewritten without loss. */
  readonly normalizedGraph: string;
  /** Of what decides a recipe in model.json: inputs, task, the optimize section. */
  readonly modelJson: string;
  /** Of LOCK_WEIGHTS_FILE; absent where there is none. */
  readonly weights?: string;
  /** By the data set's role: calibration, evaluation, holdout. */
  readonly data: Readonly<Record<string, string>>;
}
