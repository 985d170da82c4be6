import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { validate } from '../../../../../lib/compiler/ir/validation.js';
import { readModel } from '../../../../../lib/compiler/readers/read-model.js';
import { readConversionFixture, strayingOutputs } from '../../../../support/conversion-fixture.js';

const fixtures = fileURLToPath(new URL('../../../../fixtures/conversion/sequence/', import.meta.url));

describe.each(['activations', 'normalization', 'recurrent', 'bidirectional', 'attention'])("Keras's %s", (family) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sequence-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('compute what Keras 3 does', async () => {
    const model = await readModel(`${fixtures}${family}-keras3.keras`);
    validate(model);
    expect(await strayingOutputs(model, await readConversionFixture(`${fixtures}${family}-keras3`))).toEqual([]);
  });

  it('compute what Keras 2 does', async () => {
    const path = join(folder, 'model.h5');
    await writeFile(path, gunzipSync(await readFile(`${fixtures}${family}-keras2.h5.gz`)));
    const model = await readModel(path);
    expect(await strayingOutputs(model, await readConversionFixture(`${fixtures}${family}-keras2`))).toEqual([]);
  });
});
