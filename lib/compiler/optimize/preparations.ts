/** What a search tries to make plans more accurate and models smaller, in order. */
import type { Architecture } from '../../artifact/manifest.js';
import type { Preparation } from '../quantize/search/preparation.js';

export interface PreparationOptions {
  /** What the plan is for. */
  readonly architectures: readonly Architecture[];
  /** Whether channels, heads and widths may go. */
  readonly prune: boolean;
}

export function preparationsFor(_: PreparationOptions): readonly Preparation[] {
  return [];
}
