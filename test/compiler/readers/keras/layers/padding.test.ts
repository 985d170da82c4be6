import { describe, expect, it } from 'vitest';
import { paddingLayers } from '../../../../../lib/compiler/readers/keras/layers/padding.js';
import { strayingOutputs } from '../../../../support/conversion-fixture.js';
import { type LayerCase, modelOfCases, readSpatialFixture, writeLayer } from '../../../../support/spatial-cases.js';

describe("Keras's paddings and croppings", () => {
  it.each(['none', 'batch', 'sizes'] as const)('compute what Keras does, open: %s', async (openness) => {
    const fixture = await readSpatialFixture<LayerCase>('paddings');
    const { model, expected, refused } = modelOfCases(fixture, openness, writeLayer(fixture, paddingLayers));
    expect(await strayingOutputs(model, expected)).toEqual([]);
    expect(refused).toEqual([]);
  });
});
