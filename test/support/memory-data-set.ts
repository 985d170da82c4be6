/** Samples that are at hand, as a data set. */
import { createHash } from 'node:crypto';
import type { DataSet, Sample } from '../../lib/compiler/data/data-set.js';

export function memoryDataSet(samples: readonly Sample[], options: Partial<DataSet> = {}): DataSet {
  const byId = new Map(samples.map((sample) => [sample.id, sample]));
  const ids = samples.map(({ id }) => id);
  const hash = createHash('sha256');
  for (const { id, steps } of samples) {
    hash.update(id);
    for (const step of steps) for (const [name, { data }] of Object.entries(step)) hash.update(name).update(`${data}`);
  }
  return {
    ids,
    digest: hash.digest('hex'),
    isSynthetic: false,
    carried: {},
    async *read(some = ids) {
      for (const id of some) {
        const sample = byId.get(id);
        if (sample === undefined) throw new Error(`no sample ${id}`);
        yield sample;
      }
    },
    ...options,
  };
}
