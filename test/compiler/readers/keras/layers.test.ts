import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findProblems } from '../../../../lib/compiler/ir/validation.js';
import { readModel } from '../../../../lib/compiler/readers/read-model.js';
import { readConversionFixture, strayingOutputs } from '../../../support/conversion-fixture.js';

const FOLDER = join(import.meta.dirname, '../../../fixtures/conversion/keras');

/** Each model holds many cases, an output each, with what Keras computed: see make.py. */
describe.each([
  'core',
  'open-sizes',
  'merge',
  'preprocessing',
  'operators',
  'topology',
  'sequential',
  'keras2-topology',
  'keras2-operators',
  'keras2-recurrent',
  'masks',
  'keras2-masks',
  'dictionaries',
])('%s', (name) => {
  test.each(['keras', 'h5'].filter((extension) => existsSync(join(FOLDER, `${name}.${extension}`))))(
    'computes what Keras does, from .%s',
    async (extension) => {
      const model = await readModel(join(FOLDER, `${name}.${extension}`));
      const fixture = await readConversionFixture(join(FOLDER, name));
      expect(findProblems(model)).toEqual([]);
      expect(model.graph.outputs.map((output) => output.name).sort()).toEqual(Object.keys(fixture.outputs).sort());
      expect(await strayingOutputs(model, fixture)).toEqual([]);
    },
  );
});
