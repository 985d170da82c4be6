import { RequestError } from '../../lib/errors.js';

const MAX_REASON = 300;

/**
 * What the caller is told when onnxruntime could not run the model: its reason, without where in its sources it says it. The model ran at
 * build, so the request is to blame, unless there was no memory for it.
 */
export function inferenceError(cause: unknown): RequestError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/bad_alloc|failed to allocate|out of memory/i.test(text)) {
    return new RequestError({
      status: 500,
      code: 'OUT_OF_MEMORY',
      message: 'onnxruntime found no memory for this request.',
      advice: 'Send less at once, or give the function more memory.',
      cause,
    });
  }
  const reason = text
    .replace(/^.*Status Message:/s, '')
    .replace(/\S*\/onnxruntime\S*/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return new RequestError({
    status: 400,
    code: 'INFERENCE_FAILED',
    message: `onnxruntime could not run the model on these inputs: ${reason.slice(0, MAX_REASON)}`,
    advice: 'Check that the sizes that the model leaves open fit each other, and that indices lie in their range.',
    cause,
  });
}
