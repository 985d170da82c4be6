import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mutateAndRead, TFLITE_SUBJECT } from '../../../support/mutation.js';

const folder = join(import.meta.dirname, '../../../fixtures/conversion/tflite');

test('500 damaged TensorFlow Lite files: each is refused with a code or still a model, in bounded memory', async () => {
  const seeds = readdirSync(folder)
    .filter((name) => name.endsWith('.tflite'))
    .map((name) => join(folder, name));
  expect(Math.max(...seeds.map((path) => statSync(path).size))).toBeLessThan(30_000);
  const report = await mutateAndRead({ seeds, subject: TFLITE_SUBJECT, count: 500, seed: 1 });
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
