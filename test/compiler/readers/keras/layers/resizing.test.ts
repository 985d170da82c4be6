import { describe, expect, it } from 'vitest';
import { resizingLayers } from '../../../../../lib/compiler/readers/keras/layers/resizing.js';
import { strayingOutputs } from '../../../../support/conversion-fixture.js';
import { type LayerCase, modelOfCases, readSpatialFixture, writeLayer } from '../../../../support/spatial-cases.js';

describe("Keras's layers that resize", () => {
  it.each(['none', 'batch'] as const)('compute what Keras does, open: %s', async (openness) => {
    const fixture = await readSpatialFixture<LayerCase>('resizings');
    const { model, expected, refused } = modelOfCases(fixture, openness, writeLayer(fixture, resizingLayers));
    expect(await strayingOutputs(model, expected)).toEqual([]);
    expect(refused).toEqual([]);
  });

  it('compute the same where sizes are open, or say that they need them', async () => {
    const fixture = await readSpatialFixture<LayerCase>('resizings');
    const { model, expected, refused } = modelOfCases(fixture, 'sizes', writeLayer(fixture, resizingLayers));
    // Where Keras knows no sizes either, it takes pictures to be large enough for a crop.
    const strayed = (await strayingOutputs(model, expected)).map(({ output }) => output);
    expect(strayed).toEqual(['center_larger_wide', 'center_larger_tall']);
    const needSizes = /area|lanczos|antialias|resize_bicubic|up2d_bicubic$/;
    expect(refused).toEqual(Object.keys(fixture.cases).filter((name) => needSizes.test(name)));
  });
});
