/** What recurrent layers are given, and give back. */
import type { Value } from '../ir/value.js';

export interface RecurrentWeights {
  /** [features, gates · units]. */
  readonly kernel: Value;
  /** [units, gates · units]. */
  readonly recurrentKernel: Value;
  /** [gates · units], added to what the kernel makes of the input. */
  readonly bias?: Value;
  /** [gates · units], added to what the recurrent kernel makes of the state: of a GRU that resets after the product. */
  readonly recurrentBias?: Value;
}

export interface RecurrentOptions {
  /** Whether the output is that of every step, or of the one that ran last. */
  readonly returnSequences: boolean;
  /** From the last step to the first. Default false. */
  readonly reverse?: boolean;
  /** bool [N, T]: steps that are false are passed over, and leave the state as it was. */
  readonly mask?: Value;
  /** Masked steps have the output 0, not that of the step that ran before. Default false. */
  readonly zeroOutputForMask?: boolean;
  /** Each [N, units]. Default 0. */
  readonly initialState?: readonly Value[];
}

export interface RecurrentRun {
  /** [N, T, units] in the order of time in either direction, or [N, units]. */
  readonly output: Value;
  /** After the last step, each [N, units]: h of all, and c of an LSTM. */
  readonly states: readonly Value[];
}
