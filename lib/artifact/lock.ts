/** `model.lock.json`: what the search chose and why, so that every later build is fast and makes the same bytes. Plain types. */
import type { Architecture, SessionSettings } from './manifest.js';

export const LOCK_FILE = 'model.lock.json';
/** Weights changed by data (bias correction, rounding, pruning), beside the lock. */
export const LOCK_WEIGHTS_FILE = 'model.lock.safetensors';
export const LOCK_VERSION = 1;

/** Names a node whatever its position: its first output, its op type and the digest of its weights. */
export interface NodeKey {
  readonly output: string;
  readonly opType: string;
  /** sha256 of the node's constant inputs in order, lower-case hexadecimal. */
  readonly weights: string;
}

/** Scale and zero point of one tensor: one number each, or one per channel along `axis`. */
export interface QuantizationParameters {
  readonly tensor: string;
  readonly dataType: 'int8' | 'uint8' | 'int16' | 'uint16' | 'int4' | 'uint4';
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis?: number;
}

/** How one node's weights and activations are stored and computed. */
export interface NodeRecipe {
  readonly node: NodeKey;
  readonly scheme: 'fp32' | 'fp16-storage' | 'int8-weight-only' | 'int8-dynamic' | 'int8-static' | 'int4-weight-only';
  readonly parameters?: readonly QuantizationParameters[];
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
