/** Parts of a data set, as data sets of their own. */
import { createHash } from 'node:crypto';
import type { DataSet } from '../data/data-set.js';
import { randomNumbers } from '../runtime/sample-inputs.js';

/** Those samples, in the set's order. Its digest says which part of what it is. */
export function subsetOf(data: DataSet, ids: readonly string[]): DataSet {
  const wanted = new Set(ids);
  const kept = data.ids.filter((id) => wanted.has(id));
  const { isSynthetic, carried } = data;
  const digest = createHash('sha256')
    .update(JSON.stringify([data.digest, kept]))
    .digest('hex');
  return { ids: kept, digest, isSynthetic, carried, read: (some = kept) => data.read(some) };
}

/** Two parts without a common sample, the same for a seed; the first has the larger half. */
export function halvesOf(data: DataSet, seed: number): readonly [DataSet, DataSet] {
  const shuffled = shuffle(data.ids, seed);
  const middle = Math.ceil(shuffled.length / 2);
  return [subsetOf(data, shuffled.slice(0, middle)), subsetOf(data, shuffled.slice(middle))];
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
