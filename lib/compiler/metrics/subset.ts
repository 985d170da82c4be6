/** Parts of a data set by chance. */
import type { DataSet } from '../data/data-set.js';
import { subset } from '../data/subset.js';
import { randomNumbers } from '../runtime/sample-inputs.js';

/** Two parts without a common sample, the same for a seed; the first has the larger half. */
export function halvesOf(data: DataSet, seed: number): readonly [DataSet, DataSet] {
  const shuffled = shuffle(data.ids, seed);
  const middle = Math.ceil(shuffled.length / 2);
  const part = (ids: ReadonlySet<string>) =>
    subset(
      data,
      data.ids.filter((id) => ids.has(id)),
    );
  return [part(new Set(shuffled.slice(0, middle))), part(new Set(shuffled.slice(middle)))];
}

/** Fisher and Yates. */
export function shuffle<T>(list: readonly T[], seed: number): T[] {
  const random = randomNumbers(seed);
  const shuffled = [...list];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}
