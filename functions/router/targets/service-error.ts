/** What a service of AWS says when it does not do what it was asked. */
import type { Reply } from '../../aws/signed-requests.js';
import type { Outcome } from '../policy/outcome.js';

type Answered = Extract<Reply, { kind: 'reply' }>;

export interface ServiceError {
  readonly status: number;
  /** The exception's name, or the status where the answer names none. */
  readonly code: string;
  /** The members of the error's JSON. */
  readonly members: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;
}

export function readServiceError({ status, headers, body }: Answered): ServiceError {
  const members = jsonMembers(body.toString('utf8'));
  // `TooManyRequestsException:http://internal.amazon.com/…`, and in bodies of some services `namespace#Name`.
  const named = [headers['x-amzn-errortype'], members.__type, members.code].find((each) => typeof each === 'string');
  const code = named?.split(':')[0]?.split('#').at(-1);
  return {
    status,
    code: isName(code) ? code : `HTTP_${status}`,
    members,
    retryAfterSeconds: wholeSeconds(headers['retry-after']) ?? wholeSeconds(members.retryAfterSeconds),
  };
}

/** What errors of all services have in common; each knows more of its own. */
export function commonOutcome(error: ServiceError): Outcome<never> {
  const { status, code, retryAfterSeconds } = error;
  if (status === 429 || /^(Throttling|ThrottlingException|RequestLimitExceeded)$/.test(code)) {
    return { kind: 'throttled', retryAfterSeconds };
  }
  if (status >= 500) return { kind: 'unavailable', code, retryAfterSeconds };
  return { kind: 'refused', status, code, isOfRequest: status === 413 };
}

/** The members of a JSON object; none where the text is something else. */
export function jsonMembers(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

/** Fit for logs and metrics: nothing that a caller could have written. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z][\w.]{0,79}$/.test(value);
}

export function wholeSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof seconds === 'number' && seconds >= 0 && seconds < 86_400 ? Math.ceil(seconds) : undefined;
}
