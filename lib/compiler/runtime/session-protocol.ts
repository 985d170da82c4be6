/** What the session's process and its parent say to each other. Sent by structured clone, so typed arrays and bigints pass as they are. */
import type { DataType, SessionSettings, TensorSignature } from '../../artifact/manifest.js';
import type { TypedElements } from '../ir/tensor.js';
import type { ValueStatistics } from './value-statistics.js';

/** A tensor as onnxruntime sees it: float16 as raw bits in a Uint16Array, bool as 0 and 1. */
export interface RuntimeTensor {
  readonly dataType: DataType;
  readonly dims: readonly number[];
  readonly data: TypedElements | readonly string[];
}

export type SessionRequest =
  | {
      readonly kind: 'open';
      readonly model: string | Uint8Array;
      readonly settings: SessionSettings;
      readonly threads: number;
      /** Where a profile is written: the start of a file's path. */
      readonly profileFilePrefix: string | undefined;
    }
  | { readonly kind: 'end-profile' }
  | {
      readonly kind: 'run';
      readonly feeds: Readonly<Record<string, RuntimeTensor>>;
      readonly outputs: readonly string[] | undefined;
    }
  /** Runs steps in order and keeps what the observed outputs say of values, instead of the outputs. */
  | {
      readonly kind: 'observe';
      readonly steps: readonly Readonly<Record<string, RuntimeTensor>>[];
      /** Inputs that take an output of the step before, in place of what the step brings. */
      readonly carried: Readonly<Record<string, string>>;
      /** Whether the first step too goes on from the last one of the request before. */
      readonly continues: boolean;
      /** float32, of one axis: the smallest element of a value, its largest, and elements of it for the histogram. */
      readonly observed: readonly string[];
    }
  | { readonly kind: 'statistics' };

export type SessionReply =
  | {
      readonly kind: 'opened';
      readonly milliseconds: number;
      readonly inputs: readonly SessionValue[];
      readonly outputs: readonly SessionValue[];
    }
  | { readonly kind: 'ran'; readonly milliseconds: number; readonly outputs: Readonly<Record<string, RuntimeTensor>> }
  | { readonly kind: 'observed'; readonly milliseconds: number }
  | { readonly kind: 'profiled' }
  | {
      readonly kind: 'statistics';
      /** By the output's name. */
      readonly values: Readonly<Record<string, ValueStatistics>>;
      /** The most memory that the process had, bytes. */
      readonly peakBytes: number;
    }
  | { readonly kind: 'failed'; readonly message: string };

/** onnxruntime says `[]` both for a scalar and for an unknown rank; a value that is no tensor has no data type. */
export type SessionValue = TensorSignature | { readonly name: string; readonly dataType: null; readonly shape: null };
