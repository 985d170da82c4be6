/** From a text to token ids. */
import type { TextPreprocessing } from '../../artifact/task.js';
import { hashTokenizer } from './hash-tokenizer.js';
import { tokenizerFile } from './tokenizer-file.js';

export interface Tokenizer {
  /** Loads what the first text would wait for. */
  warm(): void;
  /** At most `maxLength` ids, special ones included. @throws ConfigurationError TOKENIZER_INVALID */
  encode(text: string, maxLength: number): Promise<readonly number[]>;
}

/** The bytes of a file that belongs to the model. */
export type ReadAsset = (path: string) => Uint8Array;

export function createTokenizer({ tokenizer }: TextPreprocessing, readAsset: ReadAsset): Tokenizer {
  return tokenizer.type === 'hash' ? hashTokenizer(tokenizer) : tokenizerFile(tokenizer, readAsset);
}
