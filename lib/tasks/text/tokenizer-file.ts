/** A `tokenizer.json`, read by Hugging Face's own library, which is loaded only where a model has one. */
import type { TokenizerFile } from '../../artifact/task.js';
import { ConfigurationError } from '../../errors.js';
import type { ReadAsset, Tokenizer } from './tokenizer.js';

interface Encoder {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: readonly number[] };
}

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
      const all = encoder.encode(text, { add_special_tokens: true }).ids;
      if (all.length <= maxLength) return all;
      const words = encoder.encode(text, { add_special_tokens: false }).ids;
      const before = startOf(words, all);
      const after = all.slice(before + words.length);
      return [...all.slice(0, before), ...words.slice(0, Math.max(0, maxLength - before - after.length)), ...after];
    },
  };
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
