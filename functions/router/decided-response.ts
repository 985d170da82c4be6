/** What the caller reads of a decision. */
import { type HttpResponse, jsonResponse } from '../http/http.js';
import type { Attempt, Decision, FailureCause } from './policy/decision.js';
import type { Outcome, TargetName } from './policy/outcome.js';
import type { TargetAnswer } from './targets/answer.js';

export const COMPUTED_BY_HEADER = 'x-cdk-onnx-computed-by';
export const REASON_HEADER = 'x-cdk-onnx-reason';

type Ended<Kind> = Extract<Decision<TargetAnswer>, { kind: Kind }>;

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly advice: string;
}

const TRY_AGAIN = 'Try again after the seconds in Retry-After.';
const FAILURES: Readonly<Record<FailureCause, Refusal>> = {
  deadline: {
    code: 'DEADLINE_EXCEEDED',
    message: 'Nothing answered in time.',
    advice: 'Send less at once, or raise the timeout of the policy as far as API Gateway allows.',
  },
  'circuit-open': {
    code: 'CIRCUIT_OPEN',
    message: 'What could answer has failed, and is left alone for a while.',
    advice: TRY_AGAIN,
  },
  'gpu-needed': {
    code: 'GPU_UNAVAILABLE',
    message: 'Only the GPU could answer this now, and it did not.',
    advice: TRY_AGAIN,
  },
  'lambda-only': {
    code: 'LAMBDA_UNAVAILABLE',
    message: 'Only Lambda can answer this request, and it did not.',
    advice: 'Try again, or send tensors to POST /v2/models/{model}/infer, which the GPU answers too.',
  },
  'budget-spent': {
    code: 'RETRY_BUDGET_SPENT',
    message: 'Lambda failed, and too many requests have been executed twice already.',
    advice: TRY_AGAIN,
  },
  'all-failed': {
    code: 'TARGETS_UNAVAILABLE',
    message: 'Neither Lambda nor the GPU answered.',
    advice: TRY_AGAIN,
  },
};

export function failureCode(cause: FailureCause): string {
  return FAILURES[cause].code;
}

/** What failed, in a sentence or two. */
export function failureMessage({ cause, attempts }: Ended<'failed'>): string {
  const { message } = FAILURES[cause];
  const ends = attempts.map(describe).join('; ');
  return ends === '' ? message : `${message} ${ends}.`;
}

/** 503, with what failed and when to come back. */
export function failureResponse(decision: Ended<'failed'>): HttpResponse {
  const { cause, retryAfterSeconds } = decision;
  const { code, advice } = FAILURES[cause];
  return jsonResponse(
    503,
    { error: failureMessage(decision), code, advice },
    { 'retry-after': String(retryAfterSeconds), [REASON_HEADER]: cause },
  );
}

/** The status that the model or the service gave the request. */
export function rejectionResponse({ by, reason, fault }: Ended<'rejected'>): HttpResponse {
  const headers = computedBy(by, reason);
  if (fault.kind === 'model-error') {
    const error = `The model refused the request: ${fault.message}`;
    return jsonResponse(fault.status, { error, code: 'MODEL_REFUSED', advice: 'Correct the inputs.' }, headers);
  }
  const isTooLarge = fault.status === 413;
  return jsonResponse(
    isTooLarge ? 413 : 400,
    {
      error: `${NAMES[by]} refused the request (${fault.code}).`,
      code: isTooLarge ? 'PAYLOAD_TOO_LARGE' : 'REQUEST_REFUSED',
      advice: isTooLarge ? 'Send fewer rows at once.' : 'Correct the body.',
    },
    headers,
  );
}

export function computedBy(by: TargetName, reason: string): Readonly<Record<string, string>> {
  return { [COMPUTED_BY_HEADER]: by, [REASON_HEADER]: reason };
}

const NAMES: Readonly<Record<TargetName, string>> = { lambda: 'Lambda', sagemaker: 'SageMaker' };

function describe({ target, outcome }: Attempt<TargetAnswer>): string {
  return `${NAMES[target]}: ${outcome === undefined ? 'no answer' : outcomeText(outcome)}`;
}

/** In words without anything that a request could have brought along. */
export function outcomeText(outcome: Outcome<unknown>): string {
  const detail = outcomeCode(outcome);
  const kind = outcome.kind.replaceAll('-', ' ');
  return detail === undefined ? kind : `${kind} (${detail})`;
}

export function outcomeCode(outcome: Outcome<unknown>): string | undefined {
  switch (outcome.kind) {
    case 'model-error':
      return String(outcome.status);
    case 'function-error':
    case 'not-ready':
    case 'unavailable':
    case 'refused':
      return outcome.code;
    case 'connection':
      return `${outcome.phase} ${outcome.code}`;
    default:
      return undefined;
  }
}
