import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mutateAndRead } from '../../../support/mutation.js';

const subject = join(import.meta.dirname, '../../../support/mutation-subjects/keras.ts');
const fixtures = join(import.meta.dirname, '../../../fixtures/conversion/keras');
const named = (...names: string[]) => names.map((name) => join(fixtures, name));

test.each([
  ['Keras archives', named('sequential.keras', 'topology.keras', 'core.keras', 'merge.keras', 'operators.keras')],
  ['HDF5 files of Keras', named('sequential.h5', 'chunked.h5')],
  ['layers of TensorFlow.js', named('tfjs/model.json')],
])(
  '500 damaged %s: each is refused with a code or still a model, in bounded memory',
  async (_, seeds) => {
    const report = await mutateAndRead({ seeds, subject, count: 500, seed: 1 });
    expect(report.failures).toEqual([]);
    const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
    expect(report.valid + refusals).toBe(500);
    expect(report.valid).toBeGreaterThan(50);
    expect(Object.keys(report.refused).length).toBeGreaterThan(8);
    expect(report.peakBytes).toBeLessThan(700 * 2 ** 20);
  },
  300_000,
);
