import { badRequest } from './bad-request.js';

const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Refuses what onnxruntime-node would change without a word: it hands strings over as UTF-8 that ends at the first NUL.
 *
 * @param label how errors call the tensor
 * @throws RequestError `STRING_INVALID`
 */
export function checkString(text: string, index: number, label: string): void {
  const fault = text.includes('\0')
    ? 'has a NUL character, where onnxruntime-node would cut it off'
    : LONE_SURROGATE.test(text)
      ? 'has half a surrogate pair, which UTF-8 cannot write'
      : undefined;
  if (fault === undefined) return;
  throw badRequest(
    'STRING_INVALID',
    `Element ${index} of ${label} ${fault}.`,
    'Send text; encode binary content, for example as base64, if the model expects that.',
  );
}
