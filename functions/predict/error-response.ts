import { CdkOnnxError, RequestError } from '../../lib/errors.js';
import { type HttpResponse, jsonResponse, MethodNotAllowedError } from './http.js';
import { ModelLoadingError } from './loading.js';
import { errorDetailsWithoutTexts, type Log } from './log.js';

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
  if (error instanceof ModelLoadingError) return { 'retry-after': String(error.retryAfterSeconds) };
  return {};
}

/** Why a request cannot be answered for now, or until the next deployment: status 503. */
export function modelNotReady(cause: unknown): RequestError {
  const { code, message, advice } =
    cause instanceof CdkOnnxError
      ? cause
      : {
          code: 'MODEL_NOT_READY',
          message: 'The model could not be opened.',
          advice: "Look into the function's log.",
        };
  return new RequestError({ status: 503, code, message, advice, cause });
}
