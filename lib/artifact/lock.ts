/** `model.lock.json`: what the search chose and why, so that every later build is fast and makes the same bytes. Plain types. */
import type { Architecture, SessionSettings } from './manifest.js';
import type { NodeRecipe, QuantizationParameters } from './recipe.js';

export const LOCK_FILE = 'model.lock.json';
/** Weights changed by data (bias correction, rounding, pruning), beside the lock. */
export const LOCK_WEIGHTS_FILE = 'model.lock.safetensors';
export const LOCK_VERSION = 1;

/** A weight in `LOCK_WEIGHTS_FILE`, under the name `tensor`. */
export interface LockedWeight {
  /** The initializer that it replaces, in the normalized graph. */
  readonly tensor: string;
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

export interface ArchitectureLock {
  readonly recipes: readonly NodeRecipe[];
  readonly activations: readonly QuantizationParameters[];
  readonly weights: readonly LockedWeight[];
  readonly session: SessionSettings;
  /** The artifact's contentHash and size in bytes. */
  readonly artifact: { readonly contentHash: string; readonly bytes: number };
  readonly measured: readonly Measurement[];
}

export interface Lock {
  readonly lockVersion: typeof LOCK_VERSION;
  readonly tool: string;
  readonly onnxruntime: string;
  /** sha256, lower-case hexadecimal. */
  readonly digests: {
    readonly source: string;
    readonly normalizedGraph: string;
    readonly modelJson: string;
    /** By the data set's role: calibration, evaluation, holdout. */
    readonly data: Readonly<Record<string, string>>;
  };
  readonly architectures: Readonly<Partial<Record<Architecture, ArchitectureLock>>>;
}
