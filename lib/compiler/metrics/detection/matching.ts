/** Which found box is which true one: best score first, each takes the free box of its class that it overlaps most. */
import { intersectionOverUnion } from '../../../tasks/detection/candidate.js';
import type { ScoredBox } from './boxes.js';

/**
 * As in COCO's evaluation, for one threshold. `found` must be sorted by score, best first.
 * @returns for each found box whether it has a match
 */
export function matchBoxes(found: readonly ScoredBox[], expected: readonly ScoredBox[], threshold: number): boolean[] {
  const taken = new Set<ScoredBox>();
  return found.map((box) => {
    let best: ScoredBox | undefined;
    let overlap = threshold;
    for (const candidate of expected) {
      if (candidate.label !== box.label || taken.has(candidate)) continue;
      const shared = intersectionOverUnion(box, candidate);
      if (shared >= overlap) [best, overlap] = [candidate, shared];
    }
    if (best !== undefined) taken.add(best);
    return best !== undefined;
  });
}

export function byScore(boxes: readonly ScoredBox[]): ScoredBox[] {
  return [...boxes].sort((one, other) => other.score - one.score);
}
