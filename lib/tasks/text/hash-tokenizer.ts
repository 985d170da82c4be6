/** The tokenizer without a vocabulary: see `HashTokenizer` for what it does. */
import type { HashTokenizer } from '../../artifact/task.js';
import type { Tokenizer } from './tokenizer.js';

const TOKENS = /[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu;
/** 3 for padding, start and end. */
const FIRST_ID = 3;

const encoder = new TextEncoder();

export function hashTokenizer({ vocabularySize, firstId = FIRST_ID, startId, endId }: HashTokenizer): Tokenizer {
  return {
    warm: () => undefined,
    async encode(text, maxLength) {
      const ids = startId === undefined ? [] : [startId];
      const room = maxLength - (endId === undefined ? 0 : 1);
      for (const [token] of text.normalize('NFKC').toLowerCase().matchAll(TOKENS)) {
        if (ids.length >= room) break;
        ids.push(firstId + (fnv1a(token) % (vocabularySize - firstId)));
      }
      if (endId !== undefined) ids.push(endId);
      return ids;
    },
  };
}

/** The Fowler-Noll-Vo hash, 32 bits, variant 1a, over UTF-8 (RFC 9923). */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
