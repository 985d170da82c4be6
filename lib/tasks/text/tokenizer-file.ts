/** A `tokenizer.json`, read by Hugging Face's own library, which is loaded only where a model has one. */
import type { TokenizerFile } from '../../artifact/task.js';
import { ConfigurationError, RequestError } from '../../errors.js';
import type { ReadAsset, Tokenizer } from './tokenizer.js';

interface Encoder {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: readonly number[] };
}

/** Characters a token that are looked at first, and the fewest. */
const CHARACTERS_A_TOKEN = 8;
const FEWEST_CHARACTERS = 4096;

export function tokenizerFile({ file }: TokenizerFile, readAsset: ReadAsset): Tokenizer {
  let loading: Promise<Encoder> | undefined;
  const load = () => {
    loading ??= open(file, readAsset);
    return loading;
  };
  return {
    // A failure is for the first text to tell.
    warm: () => void load().catch(() => undefined),
    async encode(text, maxLength) {
      const encoder = await load();
      const part = startThatFills(encoder, text, maxLength);
      const all = encode(encoder, part, true);
      if (all.length <= maxLength) return all;
      const words = encode(encoder, part, false);
      const before = startOf(words, all);
      const after = all.slice(before + words.length);
      return [...all.slice(0, before), ...words.slice(0, Math.max(0, maxLength - before - after.length)), ...after];
    },
  };
}

/**
 * As much of a text as has twice the tokens that are wanted, or all of it: what comes later cannot change those. A library that merges pair
 * by pair takes seconds for the longest text.
 */
function startThatFills(encoder: Encoder, text: string, maxLength: number): string {
  for (let size = Math.max(FEWEST_CHARACTERS, maxLength * CHARACTERS_A_TOKEN); size < text.length; size *= 2) {
    const part = startOfText(text, size);
    if (encode(encoder, part, false).length >= 2 * maxLength) return part;
  }
  return text;
}

/** Cut between words, if there are any in the second half, and never within a character. */
function startOfText(text: string, size: number): string {
  const start = text.slice(0, size);
  const space = start.search(/\s\S*$/u);
  if (space > size / 2) return start.slice(0, space);
  return /[\ud800-\udbff]$/.test(start) ? start.slice(0, -1) : start;
}

/** @throws RequestError 413 TEXT_TOO_LARGE where a word is longer than the library's recursion */
function encode(encoder: Encoder, text: string, hasSpecials: boolean): readonly number[] {
  try {
    return encoder.encode(text, { add_special_tokens: hasSpecials }).ids;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RequestError({
      status: 413,
      code: 'TEXT_TOO_LARGE',
      message: `The text's ${text.length} characters are more than its tokenizer takes at once.`,
      advice: 'Post the part of the text that matters, with spaces between its words.',
      cause,
    });
  }
}

/** How many special ids stand in front. */
function startOf(words: readonly number[], all: readonly number[]): number {
  const specials = all.length - words.length;
  for (let start = 0; start <= specials; start++) {
    if (words.every((id, index) => id === all[start + index])) return start;
  }
  return 0;
}

async function open(file: string, readAsset: ReadAsset): Promise<Encoder> {
  try {
    const json: unknown = JSON.parse(Buffer.from(readAsset(file)).toString('utf8'));
    const { Tokenizer } = await import('@huggingface/tokenizers');
    return new Tokenizer(json as object, {});
  } catch (cause) {
    throw new ConfigurationError({
      code: 'TOKENIZER_INVALID',
      message: `${file} cannot be used as a tokenizer: ${cause instanceof Error ? cause.message : String(cause)}.`,
      advice: 'Give the path of a tokenizer.json as Hugging Face’s tokenizers write it, relative to model.json.',
      cause,
    });
  }
}
