import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mutateAndRead } from '../../../support/mutation.js';
import { MUTATED_FORMATS } from '../../../support/mutation-formats.js';

test('500 damaged TensorFlow Lite files: each is refused with a code or still a model, in bounded memory', async () => {
  const format = MUTATED_FORMATS['TensorFlow Lite files']();
  expect(Math.max(...format.seeds.map((path) => statSync(path).size))).toBeLessThan(30_000);
  const report = await mutateAndRead({ ...format, count: 500, seed: 1 });
  expect(report.failures).toEqual([]);
  const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
  expect(report.valid + refusals).toBe(500);
  // Damage of every depth was met: of offsets, of what they lead to, and none that matters.
  expect(report.valid).toBeGreaterThan(50);
  const kinds = Object.keys(report.refused);
  expect(kinds.filter((code) => code.startsWith('FLATBUFFER_')).length).toBeGreaterThan(1);
  expect(kinds.filter((code) => code.startsWith('TFLITE_')).length).toBeGreaterThan(3);
  expect(kinds.filter((code) => !/^(FLATBUFFER|TFLITE)_/.test(code)).length).toBeGreaterThan(3);
  expect(report.peakBytes).toBeLessThan(600 * 2 ** 20);
}, 180_000);
