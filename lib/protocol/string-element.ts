import { badRequest } from './bad-request.js';

/** Half a surrogate pair: with the flag u, whole pairs are other characters. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Refuses what onnxruntime would change without a word: its binding ends a string at the character 0, and writes U+FFFD for half a
 * surrogate pair.
 *
 * @param label how errors call the tensor
 * @throws RequestError `STRING_INVALID`
 */
export function checkString(text: string, label: string, index: number): void {
  const hasZero = text.includes('\0');
  if (!hasZero && !LONE_SURROGATE.test(text)) return;
  throw badRequest(
    'STRING_INVALID',
    `Element ${index} of ${label} has ${hasZero ? 'the character U+0000' : 'half a surrogate pair'}.`,
    'onnxruntime holds strings as UTF-8 that ends at a zero: encode binary content, for example as base64, if the model expects that.',
  );
}
