/** What is asked of the policy for one request, and what it makes of it. */
import type { Outcome, OutcomeKind, TargetName } from './outcome.js';

export interface Demand {
  /** `lambda`: SageMaker cannot answer this. */
  readonly targets: 'any' | 'lambda';
  /** What needs no model, such as metadata, is asked of Lambda whatever its circuit says, and says nothing about it. Default true. */
  readonly isInference?: boolean | undefined;
  /** Leading dimension of the first input, where it is known. */
  readonly batch?: number | undefined;
  /** Of the body as the caller sent it. */
  readonly payloadBytes: number;
  /** What Lambda leaves the router, in ms. Default: the policy's timeout. */
  readonly timeLeft?: number | undefined;
}

/** Why a request was computed where it was. `primary`: nothing spoke against Lambda. */
export type Reason = 'primary' | PlacementReason | 'hedge' | Exclude<OutcomeKind, 'answer'>;
export type PlacementReason = 'batch-too-large' | 'payload-too-large' | 'circuit-open';

/** One call of a target, as far as it went before the request was decided. */
export interface Attempt<Answer> {
  readonly target: TargetName;
  readonly reason: Reason;
  readonly milliseconds: number;
  /** Undefined: it was discarded. */
  readonly outcome: Outcome<Answer> | undefined;
}

/** Every request ends in exactly one of these. */
export type Decision<Answer> = (
  | { readonly kind: 'answered'; readonly by: TargetName; readonly reason: Reason; readonly answer: Answer }
  /** The request itself is at fault, as the last target that could have answered says. */
  | {
      readonly kind: 'rejected';
      readonly by: TargetName;
      readonly reason: Reason;
      readonly fault: Extract<Outcome<Answer>, { kind: 'model-error' | 'refused' }>;
    }
  | { readonly kind: 'failed'; readonly cause: FailureCause; readonly retryAfterSeconds: number }
) & {
  /** In the order in which they began. */
  readonly attempts: readonly Attempt<Answer>[];
  /** Whether a second execution was paid for. */
  readonly isExtraLoad: boolean;
};

/**
 * `deadline`: no answer in time. `circuit-open`: nothing could be asked. `gpu-needed`: only SageMaker would do and it failed. `lambda-only`:
 * only Lambda would do and it failed. `budget-spent`: Lambda failed, and too many requests were executed twice already. `all-failed`: both.
 */
export type FailureCause = 'deadline' | 'circuit-open' | 'gpu-needed' | 'lambda-only' | 'budget-spent' | 'all-failed';
