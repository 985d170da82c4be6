/** Levenshtein's distance. */

/** The least number of insertions, deletions and substitutions that make one sequence of the other. O(n·m) time, O(m) memory. */
export function editDistance<T>(one: readonly T[], other: readonly T[]): number {
  let row = Uint32Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, element] of one.entries()) {
    const next = new Uint32Array(other.length + 1);
    next[0] = index + 1;
    for (let at = 0; at < other.length; at++) {
      const substitution = (row[at] ?? 0) + Number(other[at] !== element);
      next[at + 1] = Math.min(substitution, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1);
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
