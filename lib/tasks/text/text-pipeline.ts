/** The half of a task that all models of texts share: a body in, feeds out. */
import type { DataType, Signature } from '../../artifact/manifest.js';
import type { TextPreprocessing } from '../../artifact/task.js';
import { RequestError } from '../../errors.js';
import { checkAllFed, checkInputShape, inputOf, integersAs } from '../model-input.js';
import type { TensorFeeds } from '../tensors.js';
import { createTokenizer, type ReadAsset } from './tokenizer.js';

export const TEXT_MEDIA_TYPES = ['text/plain', 'application/json'] as const;

/** Of a posted text, UTF-8. Models read the first few hundred words anyway. */
const MAX_TEXT_BYTES = 262_144;

const INTEGERS: readonly DataType[] = ['int64', 'int32'];
const MASKS: readonly DataType[] = ['int64', 'int32', 'float32', 'bool'];

export interface TextPipeline {
  warm(): void;
  /** @throws RequestError 400 TEXT_MISSING where it has no token */
  prepare(text: string): Promise<TensorFeeds>;
}

/** @throws ConfigurationError when the task does not fit the model's inputs */
export function createTextPipeline(text: TextPreprocessing, signature: Signature, readAsset: ReadAsset): TextPipeline {
  const { maxLength, padding = 'max-length', padId = 0 } = text;
  const ids = inputOf(text.ids, INTEGERS, signature);
  const mask = text.mask === undefined ? undefined : inputOf(text.mask, MASKS, signature);
  const typeIds = text.typeIds === undefined ? undefined : inputOf(text.typeIds, INTEGERS, signature);
  const fed = [ids, mask, typeIds].filter((input) => input !== undefined);
  for (const input of fed) checkInputShape(input, [1, padding === 'none' ? null : maxLength]);
  const fedNames = fed.map(({ name }) => name);
  checkAllFed(fedNames, signature);
  const tokenizer = createTokenizer(text, readAsset);
  return {
    warm: tokenizer.warm,
    async prepare(body) {
      const tokens = await tokenizer.encode(body, maxLength);
      // What a tokenizer.json leaves out may be all that there is; models do not run on no token at all.
      if (tokens.length === 0) throw missing('The text has nothing in it that the tokenizer makes a token of.');
      const length = padding === 'none' ? tokens.length : maxLength;
      const row = (input: { readonly dataType: DataType }, at: (index: number) => number) => ({
        dataType: input.dataType,
        shape: [1, length],
        data: integersAs(
          input.dataType,
          Array.from({ length }, (_, index) => at(index)),
        ),
      });
      return {
        [ids.name]: row(ids, (index) => tokens[index] ?? padId),
        ...(mask === undefined ? {} : { [mask.name]: row(mask, (index) => (index < tokens.length ? 1 : 0)) }),
        ...(typeIds === undefined ? {} : { [typeIds.name]: row(typeIds, () => 0) }),
      };
    },
  };
}

/**
 * The text of a body: `{ "text": … }` where it is said to be JSON, else the body itself.
 * @throws RequestError 400 TEXT_MISSING, TEXT_NOT_UTF8, TEXT_JSON; 413 TEXT_TOO_LARGE
 */
export function textOf(body: Uint8Array, mediaType = 'text/plain'): string {
  if (body.byteLength > MAX_TEXT_BYTES) {
    throw new RequestError({
      status: 413,
      code: 'TEXT_TOO_LARGE',
      message: `The text has ${body.byteLength} bytes; at most ${MAX_TEXT_BYTES} are read.`,
      advice: 'Post the part of the text that matters.',
    });
  }
  const content = decode(body);
  const text = mediaType === 'application/json' ? textInJson(content) : content;
  if (text.trim() === '') throw missing('The text is empty.');
  return text;
}

function missing(message: string): RequestError {
  return new RequestError({
    status: 400,
    code: 'TEXT_MISSING',
    message,
    advice: 'Post the text as text/plain, or as JSON: { "text": "…" }.',
  });
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new RequestError({
      status: 400,
      code: 'TEXT_NOT_UTF8',
      message: 'The text is not UTF-8.',
      advice: 'Convert it to UTF-8 before it is posted.',
      cause,
    });
  }
}

function textInJson(content: string): string {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    json = undefined;
  }
  const text = typeof json === 'object' && json !== null && 'text' in json ? json.text : undefined;
  if (typeof text === 'string') return text;
  throw new RequestError({
    status: 400,
    code: 'TEXT_JSON',
    message: 'The body is no JSON object with a "text".',
    advice: 'Post { "text": "…" }, or the text itself as text/plain.',
  });
}
