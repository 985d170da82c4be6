import { describe, expect, it } from 'vitest';
import { convolutionLayers } from '../../../../../lib/compiler/readers/keras/layers/convolution.js';
import { strayingOutputs } from '../../../../support/conversion-fixture.js';
import { type LayerCase, modelOfCases, readSpatialFixture, writeLayer } from '../../../../support/spatial-cases.js';

describe.each(['convolutions', 'transposed-convolutions'])("Keras's %s", (family) => {
  it.each(['none', 'batch', 'sizes'] as const)('compute what Keras does, open: %s', async (openness) => {
    const fixture = await readSpatialFixture<LayerCase>(family);
    const { model, expected, refused } = modelOfCases(fixture, openness, writeLayer(fixture, convolutionLayers));
    expect(await strayingOutputs(model, expected)).toEqual([]);
    expect(refused).toEqual([]);
  });
});
