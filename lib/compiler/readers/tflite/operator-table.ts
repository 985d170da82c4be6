import type { BuiltinOperator } from '../../formats/tflite/builtin-operators.js';
import type { Value } from '../../ir/value.js';
import type { OperatorCall } from './operator-call.js';

/** An operator's outputs, in the file's order; one that is alone needs no list. */
export type OperatorLowering = (call: OperatorCall) => Value | readonly Value[];

export interface OperatorEntry {
  readonly lower: OperatorLowering;
  /**
   * The operator moves elements and computes none: where its tensors are quantized alike, which converters see to, it works on what is
   * stored, and no rounding comes in. `bytes`: of 8 bits only, as
   * onnxruntime has no kernel for others; `as stored`: whatever the tensors stand for.
   */
  readonly moves: 'nothing' | 'bytes' | 'anything' | 'as stored';
}

/** By the name in schema.fbs. */
export type OperatorTable = Partial<Readonly<Record<BuiltinOperator, OperatorEntry>>>;

export function computing(lower: OperatorLowering): OperatorEntry {
  return { lower, moves: 'nothing' };
}

export function moving(lower: OperatorLowering): OperatorEntry {
  return { lower, moves: 'anything' };
}

export function movingBytes(lower: OperatorLowering): OperatorEntry {
  return { lower, moves: 'bytes' };
}

export function passing(lower: OperatorLowering): OperatorEntry {
  return { lower, moves: 'as stored' };
}
