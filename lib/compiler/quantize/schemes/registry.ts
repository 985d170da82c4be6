/** Every scheme that changes a node, in the order in which they are applied: static first, because it looks at neighbours as they were. */
import type { Scheme } from '../../../artifact/recipe.js';
import type { SchemeRewrite } from '../scheme.js';
import { staticQdq } from './static-qdq/static-qdq.js';

export const SCHEME_REWRITES: readonly SchemeRewrite[] = [staticQdq];

/** The rewrite of a scheme; undefined for fp32, which changes nothing. */
export function rewriteOf(scheme: Scheme): SchemeRewrite | undefined {
  return SCHEME_REWRITES.find((rewrite) => rewrite.scheme === scheme);
}
