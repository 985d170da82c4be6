import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
import { decodeModel } from '../../../lib/compiler/formats/onnx/decode.js';
import { modelFromProto } from '../../../lib/compiler/ir/serialization/from-proto.js';
import { validateStructure } from '../../../lib/compiler/ir/validation.js';
import { everyField } from '../../support/every-field.js';
import { mutateAndRead } from '../../support/mutation.js';
import { edits, randomFrom } from '../../support/mutation-edits.js';
import { MUTATED_FORMATS } from '../../support/mutation-formats.js';
import { realModels } from '../../support/real-models.js';

const { blazefaceFront } = realModels;

test('500 damaged models: each is refused with a code or still a model, in bounded memory', async () => {
  const report = await mutateAndRead({ ...MUTATED_FORMATS.ONNX(), count: 500, seed: 1 });
  expect(report.failures).toEqual([]);
  const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
  expect(report.valid + refusals).toBe(500);
  // Damage of every depth was met: the format's, the graph's, and none that matters.
  expect(report.valid).toBeGreaterThan(50);
  expect(Object.keys(report.refused).filter((code) => code.startsWith('PROTOBUF_')).length).toBeGreaterThan(2);
  expect(Object.keys(report.refused).filter((code) => !code.startsWith('PROTOBUF_')).length).toBeGreaterThan(3);
  expect(report.peakBytes).toBeLessThan(600 * 2 ** 20);
}, 180_000);

test('a hang and a crash are found', async () => {
  const slow = await mutateAndRead({ seeds: [blazefaceFront], count: 1, seed: 1, timeoutMs: 1 });
  expect(slow.failures).toEqual([{ index: 0, what: 'no answer within 1 ms' }]);
  const crashed = await mutateAndRead({ seeds: [join(import.meta.dirname, 'missing.onnx')], count: 1, seed: 1 });
  expect(crashed.failures[0]?.what).toMatch(/exit code/);
});

test('the same seed makes the same damage; every kind of damage changes bytes', () => {
  const bytes = toBinary(ModelProtoSchema, everyField());
  expect(() => validateStructure(modelFromProto(decodeModel(bytes)))).not.toThrow();
  for (const [kind, edit] of Object.entries(edits)) {
    const results = Array.from({ length: 20 }, (_, seed) => Buffer.from(edit(bytes, randomFrom(seed))).toString('hex'));
    const again = Array.from({ length: 20 }, (_, seed) => Buffer.from(edit(bytes, randomFrom(seed))).toString('hex'));
    expect(again, kind).toEqual(results);
    expect(new Set(results).size, kind).toBeGreaterThan(10);
  }
});
