/** Models that TensorFlow's converter wrote, against what its interpreter computed: test/fixtures/conversion/tflite/make.py. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findProblems } from '../../../../lib/compiler/ir/validation.js';
import { readTflite } from '../../../../lib/compiler/readers/tflite.js';
import { readConversionFixture, strayingOutputs } from '../../../support/conversion-fixture.js';

const folder = join(import.meta.dirname, '../../../fixtures/conversion/tflite');
const fixture = (name: string) => join(folder, name);

const families = [
  'activation',
  'choose',
  'convolution',
  'elementwise',
  'handmade',
  'matrix',
  'pooling',
  'rearrange',
  'reduce',
  'resize',
];

describe('every case of', () => {
  it.each(families)('%s', async (name) => {
    const model = await readTflite(fixture(`${name}.tflite`));
    expect(findProblems(model)).toEqual([]);
    const expected = await readConversionFixture(fixture(name));
    expect(await strayingOutputs(model, expected)).toEqual([]);
    expect(await strayingOutputs(model, expected, {}, { graphOptimizationLevel: 'all' })).toEqual([]);
  });
});
