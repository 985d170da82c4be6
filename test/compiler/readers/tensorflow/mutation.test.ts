import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mutateAndRead } from '../../../support/mutation.js';

const fixtures = join(import.meta.dirname, '../../../fixtures/conversion/graphdef');
const subject = join(import.meta.dirname, '../../../support/mutation-subjects/tensorflow-graph.ts');
const graphs = (...names: string[]) => names.map((name) => join(fixtures, name));

test.each([
  [
    'TensorFlow.js graphs',
    graphs('sharded/model.json', 'arithmetic.json', 'control.json', 'functions.json', 'detection.json'),
  ],
  ['frozen graphs', graphs('frozen.pb')],
])(
  '500 damaged %s: each is refused with a code or still a model, in bounded memory',
  async (_, seeds) => {
    const report = await mutateAndRead({ seeds, subject, count: 500, seed: 1 });
    expect(report.failures).toEqual([]);
    const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
    expect(report.valid + refusals).toBe(500);
    expect(report.valid).toBeGreaterThan(20);
    expect(Object.keys(report.refused).length).toBeGreaterThan(8);
    expect(report.peakBytes).toBeLessThan(800 * 2 ** 20);
  },
  300_000,
);
