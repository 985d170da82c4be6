import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { mutateAndRead } from '../../support/mutation.js';
import { mutatedArchives } from '../../support/mutation-formats.js';

test('500 damaged archives: each is refused with a code or still a model, in bounded memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-archives-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const report = await mutateAndRead({ ...mutatedArchives(folder), count: 500, seed: 1 });
  expect(report.failures).toEqual([]);
  const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
  expect(report.valid + refusals).toBe(500);
  expect(report.valid).toBeGreaterThan(20);
  for (const code of ['ARCHIVE_DAMAGED', 'MODEL_FORMAT_UNKNOWN']) expect(report.refused[code]).toBeGreaterThan(5);
}, 180_000);
