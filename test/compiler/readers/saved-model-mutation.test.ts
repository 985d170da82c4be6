import { expect, test } from 'vitest';
import { mutateAndRead } from '../../support/mutation.js';
import { MUTATED_FORMATS } from '../../support/mutation-formats.js';

test('500 damaged saved_model.pb: each is refused with a code or still a model, in bounded memory', async () => {
  const report = await mutateAndRead({ ...MUTATED_FORMATS['saved_model.pb'](), count: 500, seed: 1 });
  expect(report.failures).toEqual([]);
  const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
  expect(report.valid + refusals).toBe(500);
  // Damage of every depth was met: the format's, the functions', the signature's, the graph's, and none that matters.
  expect(report.valid).toBeGreaterThan(50);
  for (const kind of [/^PROTOBUF_/, /^FUNCTION_/, /^SIGNATURE_/, /^(OP|OPERATOR|GRAPH)_/]) {
    expect(Object.keys(report.refused).filter((code) => kind.test(code)).length, String(kind)).toBeGreaterThan(0);
  }
  expect(report.peakBytes).toBeLessThan(800 * 2 ** 20);
}, 300_000);

test('500 damaged checkpoints, index and data: each is refused with a code or still a model', async () => {
  const report = await mutateAndRead({ ...MUTATED_FORMATS.checkpoints(), count: 500, seed: 1 });
  expect(report.failures).toEqual([]);
  const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
  expect(report.valid + refusals).toBe(500);
  expect(report.valid).toBeGreaterThan(20);
  for (const code of ['TABLE_CHECKSUM', 'TABLE_TRUNCATED', 'BUNDLE_CHECKSUM', 'BUNDLE_ENTRY', 'EXTERNAL_DATA_RANGE']) {
    expect(report.refused[code] ?? 0, code).toBeGreaterThan(0);
  }
  expect(report.peakBytes).toBeLessThan(800 * 2 ** 20);
}, 300_000);
