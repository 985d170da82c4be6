/** What a function may answer with. */
import { RequestError } from '../../lib/errors.js';

/** Of a function's result as JSON. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_RESULT_BYTES = 6 * 1024 * 1024;

/** @throws RequestError `RESPONSE_TOO_LARGE`: Lambda would drop the result and the caller see a bare 500 */
export function checkResultSize(bytes: number): void {
  if (bytes <= MAX_RESULT_BYTES) return;
  throw responseTooLarge(`takes ${bytes} bytes`);
}

/** A digit and a comma, or a pair of brackets. */
const MIN_ELEMENT_BYTES = 2;

/**
 * Before a tensor is written as text, which takes many times its memory.
 *
 * @throws RequestError `RESPONSE_TOO_LARGE` where not even one digit an element would do
 */
export function checkTextSize(elements: number): void {
  const bytes = elements * MIN_ELEMENT_BYTES;
  if (bytes > MAX_RESULT_BYTES) throw responseTooLarge(`would take more than ${bytes} bytes`);
}

function responseTooLarge(fault: string): RequestError {
  return new RequestError({
    status: 422,
    code: 'RESPONSE_TOO_LARGE',
    message: `The response ${fault}, and a Lambda function may answer with ${MAX_RESULT_BYTES}.`,
    advice: 'Send fewer rows at once, name only the outputs that you need in "outputs", or ask for the binary form.',
  });
}
