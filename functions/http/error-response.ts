import { CdkOnnxError, RequestError } from '../../lib/errors.js';
import { errorDetailsWithoutTexts, type Log } from '../log/log.js';
import { type HttpResponse, jsonResponse, MethodNotAllowedError, RetryLaterError } from './http.js';

const INTERNAL_ERROR = 'INTERNAL_ERROR';

/** The code by which an error is counted; finitely many. */
export function errorCode(error: unknown): string {
  return error instanceof CdkOnnxError ? error.code : INTERNAL_ERROR;
}

/** What the caller reads of an error: never a stack, and nothing of an error that was not meant to be read. */
export function errorResponse(error: unknown, log: Log): HttpResponse {
  const status = error instanceof RequestError ? error.status : 500;
  if (status >= 500) log('ERROR', 'request failed', errorDetailsWithoutTexts(error));
  const headers = headersOf(error);
  if (!(error instanceof CdkOnnxError)) {
    return jsonResponse(status, {
      error: 'The function failed.',
      code: INTERNAL_ERROR,
      advice: "Look into the function's log.",
    });
  }
  return jsonResponse(status, { error: error.message, code: error.code, advice: error.advice }, headers);
}

function headersOf(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof MethodNotAllowedError) return { allow: error.allowed.join(', ') };
  if (error instanceof RetryLaterError) return { 'retry-after': String(error.retryAfterSeconds) };
  return {};
}
