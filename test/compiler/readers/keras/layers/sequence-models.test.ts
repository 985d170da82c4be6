import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { validate } from '../../../../../lib/compiler/ir/validation.js';
import { readModel } from '../../../../../lib/compiler/readers/read-model.js';
import { readConversionFixture, strayingOutputs } from '../../../../support/conversion-fixture.js';

const fixtures = fileURLToPath(new URL('../../../../fixtures/conversion/sequence/', import.meta.url));

const families = ['activations', 'normalization', 'recurrent', 'bidirectional', 'convolutional', 'attention'];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sequence-'));
});
afterAll(() => rm(folder, { recursive: true }));

it.each(families)("Keras 3's %s compute what they do there", async (family) => {
  const model = await readModel(`${fixtures}${family}-keras3.keras`);
  validate(model);
  expect(await strayingOutputs(model, await readConversionFixture(`${fixtures}${family}-keras3`))).toEqual([]);
});

it.each([...families, 'cudnn'])("Keras 2's %s compute what they do there", async (family) => {
  const path = join(folder, 'model.h5');
  await writeFile(path, gunzipSync(await readFile(`${fixtures}${family}-keras2.h5.gz`)));
  const model = await readModel(path);
  expect(await strayingOutputs(model, await readConversionFixture(`${fixtures}${family}-keras2`))).toEqual([]);
});
