/** Which axes before a Reshape hold the same elements as which axes after it. */
import type { Dimension } from '../../ir/value.js';

/** The elements of the axes `from` are those of the axes `to`, in order; one of the two has one axis. */
export interface AxisMatch {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * Matches from the front as far as sizes are known, then from the back. Symbols match symbols of the same name. What stays unmatched in
 * between, and blocks of several axes on both sides, are left out.
 */
export function matchAxes(before: readonly Dimension[], after: readonly Dimension[]): AxisMatch[] {
  const front = walk(before, after);
  const [i, j] = [
    front.reduce((sum, { from }) => sum + from.length, 0),
    front.reduce((sum, { to }) => sum + to.length, 0),
  ];
  const [restBefore, restAfter] = [before.slice(i), after.slice(j)];
  const back = walk(restBefore.toReversed(), restAfter.toReversed()).map(({ from, to }) => ({
    from: from.map((axis) => before.length - 1 - axis).reverse(),
    to: to.map((axis) => after.length - 1 - axis).reverse(),
  }));
  return [...front, ...back].filter(({ from, to }) => from.length === 1 || to.length === 1);
}

function walk(before: readonly Dimension[], after: readonly Dimension[]): AxisMatch[] {
  const matches: AxisMatch[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] !== undefined && before[i] === after[j]) {
      matches.push({ from: [i++], to: [j++] });
      continue;
    }
    const block = blockAt(before, after, i, j);
    if (block === undefined) break;
    matches.push(block);
    i += block.from.length;
    j += block.to.length;
  }
  return matches;
}

/** The shortest run of fixed axes on either side with the same number of elements. */
function blockAt(
  before: readonly Dimension[],
  after: readonly Dimension[],
  i: number,
  j: number,
): AxisMatch | undefined {
  const [from, to] = [[i], [j]];
  let [a, b] = [before[i], after[j]];
  while (typeof a === 'number' && typeof b === 'number' && a !== b) {
    const grow = a < b ? from : to;
    const next: number = (grow.at(-1) ?? 0) + 1;
    const size: Dimension = a < b ? before[next] : after[next];
    if (typeof size !== 'number' || size === 0) return undefined;
    if (a < b) a *= size;
    else b *= size;
    grow.push(next);
  }
  return typeof a === 'number' && a > 0 && a === b ? { from, to } : undefined;
}
