/** How one call of a target ended. */

/** What can compute a prediction. */
export type TargetName = 'lambda' | 'sagemaker';

/**
 * Whether the target ran the model, or may have: a second call elsewhere is then a second execution. A refusal before that costs nothing.
 */
export type Execution = 'none' | 'possible';

export type Outcome<Answer> =
  /** A whole answer that can be handed to the caller, a refusal of his request by the model's function included. */
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** More at once, or more a second, than the target takes. */
  | { readonly kind: 'throttled'; readonly retryAfterSeconds?: number | undefined }
  /** The target gave up by a limit of its own. */
  | { readonly kind: 'timeout' }
  /** The function was started and brought no result. */
  | { readonly kind: 'function-error'; readonly cause: FunctionFault; readonly code: string }
  /** No whole answer came over the network. */
  | { readonly kind: 'connection'; readonly phase: ConnectionPhase; readonly code: string }
  /** The target says that its model is still on its way. */
  | { readonly kind: 'not-ready'; readonly code: string; readonly retryAfterSeconds?: number | undefined }
  /** The container behind SageMaker answered with an error; `status` is the container's. */
  | { readonly kind: 'model-error'; readonly status: number; readonly message: string }
  /** The service in front of the target failed. */
  | { readonly kind: 'unavailable'; readonly code: string; readonly retryAfterSeconds?: number | undefined }
  /** The service did not accept the call; `isOfRequest` where that lies in this one request and not in how the router is set up. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly isOfRequest: boolean };

/** `error-answer`: the function answered with a status of 500 to 599. `malformed`: with something that is no HTTP answer. */
export type FunctionFault = 'crash' | 'out-of-memory' | 'unhandled' | 'error-answer' | 'malformed';

/**
 * `connecting`: no connection. `unacknowledged`: the request was on its way and nothing came back. `answering`: the answer broke off, or was
 * none.
 */
export type ConnectionPhase = 'connecting' | 'unacknowledged' | 'answering';

export type OutcomeKind = Outcome<unknown>['kind'];

export function executionOf(outcome: Outcome<unknown>): Execution {
  switch (outcome.kind) {
    case 'throttled':
    case 'not-ready':
    case 'refused':
      return 'none';
    case 'connection':
      return outcome.phase === 'connecting' ? 'none' : 'possible';
    case 'answer':
    case 'timeout':
    case 'function-error':
    case 'model-error':
    case 'unavailable':
      return 'possible';
  }
}

/** Whether an outcome says that the target is unwell: what a single request brought about itself does not. */
export function isFailure(outcome: Outcome<unknown>): boolean {
  switch (outcome.kind) {
    case 'answer':
      return false;
    case 'model-error':
      return outcome.status >= 500;
    case 'refused':
      return !outcome.isOfRequest;
    default:
      return true;
  }
}

/** When the target asks to be asked again. */
export function retryAfterSeconds(outcome: Outcome<unknown>): number | undefined {
  return 'retryAfterSeconds' in outcome ? outcome.retryAfterSeconds : undefined;
}
