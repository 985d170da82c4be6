import { CdkOnnxError, RequestError } from '../../lib/errors.js';

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
