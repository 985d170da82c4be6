/** Models that TensorFlow's converter wrote, against what its interpreter computed: test/fixtures/conversion/tflite/make.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeTflite } from '../../../../lib/compiler/formats/tflite/decode.js';
import { findProblems } from '../../../../lib/compiler/ir/validation.js';
import { OPERATORS } from '../../../../lib/compiler/readers/tflite/operators/all.js';
import { readTflite } from '../../../../lib/compiler/readers/tflite/read.js';
import { readConversionFixture, strayingOutputs } from '../../../support/conversion-fixture.js';

const folder = join(import.meta.dirname, '../../../fixtures/conversion/tflite');
const fixture = (name: string) => join(folder, name);

const families = [
  'activation',
  'choose',
  'control-flow',
  'control-flow-else',
  'convolution',
  'detection-fast',
  'detection-fast-two',
  'detection-regular',
  'dynamic-range',
  'elementwise',
  'float16',
  'handmade',
  'matrix',
  'open-batch',
  'pooling',
  'rearrange',
  'recurrent',
  'recurrent-loop',
  'reduce',
  'resize',
  'sparse',
  'sparse-float16',
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

it('every operator of the tables is in a fixture', () => {
  const found = new Set<string>();
  for (const name of [...families, 'quantized-calculated']) {
    const { subgraphs } = decodeTflite(new Uint8Array(readFileSync(fixture(`${name}.tflite`))));
    for (const { operators } of subgraphs) for (const { code } of operators) found.add(code);
  }
  expect(Object.keys(OPERATORS).filter((code) => !found.has(code))).toEqual([]);
});
