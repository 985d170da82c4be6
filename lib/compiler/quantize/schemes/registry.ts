/** Every scheme that changes a node, in the order in which they are applied: static first, because it looks at neighbours as they were. */
import type { Scheme } from '../../../artifact/recipe.js';
import type { SchemeRewrite } from '../scheme.js';
import { blockwiseScheme } from './blockwise/matmul-nbits.js';
import { dynamicScheme } from './dynamic.js';
import { embedding } from './embedding.js';
import { float16Storage } from './float16-storage.js';
import { staticQdq } from './static-qdq/static-qdq.js';
import { weightOnly } from './weight-only.js';

export const SCHEME_REWRITES: readonly SchemeRewrite[] = [
  staticQdq,
  dynamicScheme,
  blockwiseScheme,
  embedding(),
  weightOnly(),
  float16Storage(),
];

/** The rewrite of a scheme; undefined for fp32, which changes nothing. */
export function rewriteOf(scheme: Scheme): SchemeRewrite | undefined {
  return SCHEME_REWRITES.find((rewrite) => rewrite.scheme === scheme);
}
