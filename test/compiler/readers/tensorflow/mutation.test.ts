import { expect, test } from 'vitest';
import { mutateAndRead } from '../../../support/mutation.js';
import { MUTATED_FORMATS } from '../../../support/mutation-formats.js';

test.each(['TensorFlow.js graphs', 'frozen graphs'] as const)(
  '500 damaged %s: each is refused with a code or still a model, in bounded memory',
  async (format) => {
    const report = await mutateAndRead({ ...MUTATED_FORMATS[format](), count: 500, seed: 1 });
    expect(report.failures).toEqual([]);
    const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
    expect(report.valid + refusals).toBe(500);
    expect(report.valid).toBeGreaterThan(20);
    expect(Object.keys(report.refused).length).toBeGreaterThan(8);
    expect(report.peakBytes).toBeLessThan(800 * 2 ** 20);
  },
  300_000,
);
