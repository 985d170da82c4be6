import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../../../../lib/compiler/readers/read-model.js';
import { readConversionFixture, strayingOutputs } from '../../../../support/conversion-fixture.js';

const folder = fileURLToPath(new URL('../../../../fixtures/conversion/spatial/', import.meta.url));

describe('a file with layers over spatial dimensions', () => {
  it.each(['whole-keras.keras', 'whole-h5.h5', 'operations.keras', 'functions.h5'])(
    '%s computes what its Keras did',
    async (file) => {
      const model = await readModel(`${folder}${file}`);
      const fixture = await readConversionFixture(`${folder}${file.replace(/\.\w+$/, '')}`);
      expect(await strayingOutputs(model, fixture)).toEqual([]);
    },
  );
});
