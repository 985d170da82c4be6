import { describe, expect, it } from 'vitest';
import { poolingLayers } from '../../../../../lib/compiler/readers/keras/layers/pooling.js';
import { strayingOutputs } from '../../../../support/conversion-fixture.js';
import { type LayerCase, modelOfCases, readSpatialFixture, writeLayer } from '../../../../support/spatial-cases.js';

describe("Keras's pools", () => {
  it.each(['none', 'batch', 'sizes'] as const)('compute what Keras does, open: %s', async (openness) => {
    const fixture = await readSpatialFixture<LayerCase>('pools');
    const { model, expected, refused } = modelOfCases(fixture, openness, writeLayer(fixture, poolingLayers));
    expect(await strayingOutputs(model, expected)).toEqual([]);
    const needSizes = /^average.*(2d_picture(_odd)?_same_32|wide_gaps_same)|^adaptive/;
    const names = openness === 'sizes' ? Object.keys(fixture.cases).filter((name) => needSizes.test(name)) : [];
    expect(refused).toEqual(names);
  });
});
