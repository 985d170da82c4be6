/** What a function may answer with. */
import { RequestError } from '../../lib/errors.js';

/** Of a function's result as JSON. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_RESULT_BYTES = 6 * 1024 * 1024;
/** Of an answer that is streamed. https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html */
export const MAX_STREAM_BYTES = 200 * 1024 * 1024;

/** @throws RequestError `RESPONSE_TOO_LARGE`: Lambda would drop the result and the caller see a bare 500 */
export function checkResultSize(bytes: number): void {
  if (bytes > MAX_RESULT_BYTES) throw responseTooLarge(`takes ${bytes} bytes`, MAX_RESULT_BYTES);
}

/** What JSON can make of one character of a body: `\u0000`. */
const MAX_BYTES_PER_CHARACTER = 6;

/** How many bytes a result with this body takes as JSON, counted only where it could matter; else 0. */
export function resultBytes(result: { readonly body: string }): number {
  return result.body.length * MAX_BYTES_PER_CHARACTER > MAX_RESULT_BYTES
    ? Buffer.byteLength(JSON.stringify(result))
    : 0;
}

/** @throws RequestError `RESPONSE_TOO_LARGE`: Lambda would cut the stream off */
export function checkStreamSize(bytes: number): void {
  if (bytes > MAX_STREAM_BYTES) throw responseTooLarge(`takes ${bytes} bytes`, MAX_STREAM_BYTES);
}

/** A digit and a comma, or a pair of brackets. */
const MIN_ELEMENT_BYTES = 2;

/**
 * Before a tensor is written as text, which takes many times its memory.
 *
 * @throws RequestError `RESPONSE_TOO_LARGE` where not even one digit an element would do
 */
export function checkTextSize(elements: number, maxResponseBytes: number): void {
  const bytes = elements * MIN_ELEMENT_BYTES;
  if (bytes > maxResponseBytes) throw responseTooLarge(`would take more than ${bytes} bytes`, maxResponseBytes);
}

function responseTooLarge(fault: string, limit: number): RequestError {
  return new RequestError({
    status: 422,
    code: 'RESPONSE_TOO_LARGE',
    message: `The response ${fault}, and this function may answer with ${limit}.`,
    advice: 'Send fewer rows at once, name only the outputs that you need in "outputs", or ask for the binary form.',
  });
}
