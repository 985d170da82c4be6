import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convertModel } from '../../lib/compiler/convert.js';
import { realModels } from '../support/real-models.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-convert-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a conversion that is interrupted leaves nothing', () => {
  test.each(['reading', 'normalizing', 'asking', 'writing', 'comparing'])('while %s', async (step) => {
    const controller = new AbortController();
    const converting = convertModel({
      source: realModels.ocrAngleClassifier,
      out: join(folder, 'out', 'model.onnx'),
      signal: controller.signal,
      onStep: (name) => {
        if (name.startsWith(step)) controller.abort(new Error('stop'));
      },
    });
    await expect(converting).rejects.toThrow('stop');
    expect(readdirSync(folder, { recursive: true }).filter((name) => name !== 'out')).toEqual([]);
  });
});
