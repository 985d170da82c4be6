/** A data set of what a test has in memory. */
import type { DataSet, Feeds, Sample } from '../../lib/compiler/data/data-set.js';

/** One sample for each of `runs`. */
export function samplesInMemory(runs: readonly Feeds[]): DataSet {
  return sequencesInMemory(
    runs.map((feeds) => [feeds]),
    {},
  );
}

/** One sample for each sequence of runs; `carried` as in DataSet. */
export function sequencesInMemory(
  sequences: readonly (readonly Feeds[])[],
  carried: Readonly<Record<string, string>>,
): DataSet {
  const samples: Sample[] = sequences.map((steps, index) => ({ id: String(index), steps }));
  return {
    ids: samples.map(({ id }) => id),
    digest: '',
    isSynthetic: true,
    carried,
    async *read(ids) {
      for (const sample of samples) if (ids === undefined || ids.includes(sample.id)) yield sample;
    },
  };
}
