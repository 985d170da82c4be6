import { describe, expect, it } from 'vitest';
import type { Value } from '../../../lib/compiler/ir/value.js';
import {
  batchToSpace,
  depthToSpace,
  extractPatches,
  spaceToBatch,
  spaceToDepth,
} from '../../../lib/compiler/lowering/blocks.js';
import {
  convolution,
  depthwiseConvolution,
  transposedConvolution,
} from '../../../lib/compiler/lowering/convolution.js';
import type { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { pad, type Widths } from '../../../lib/compiler/lowering/padding.js';
import { type PoolKind, type PoolOptions, pool } from '../../../lib/compiler/lowering/pooling.js';
import { resize } from '../../../lib/compiler/lowering/resize.js';
import { strayingOutputs } from '../../support/conversion-fixture.js';
import { modelOfCases, type OperatorCase, readSpatialFixture, writeOperator } from '../../support/spatial-cases.js';

/** As TensorFlow does it by phases. */
function dilatedBy(convolve: typeof convolution | typeof depthwiseConvolution) {
  return (builder: GraphBuilder, x: Value, kernel: Value, blocks: readonly number[], widths: Widths, crops: Widths) =>
    batchToSpace(builder, convolve(builder, spaceToBatch(builder, x, blocks, widths), kernel), blocks, crops);
}

const FUNCTIONS = {
  batchToSpace,
  convolution,
  depthToSpace,
  depthwiseConvolution,
  dilated: dilatedBy(convolution),
  dilatedDepthwise: dilatedBy(depthwiseConvolution),
  extractPatches,
  pad,
  pool: (builder: GraphBuilder, x: Value, kind: PoolKind, sizes: readonly number[], options: PoolOptions) =>
    pool(builder, kind, x, sizes, options),
  resize,
  spaceToBatch,
  spaceToDepth,
  transposedConvolution,
};

describe("TensorFlow's operators over spatial dimensions", () => {
  it.each(['none', 'batch'] as const)('are lowered to what computes the same, open: %s', async (openness) => {
    const fixture = await readSpatialFixture<OperatorCase>('operators');
    const { model, expected, refused } = modelOfCases(fixture, openness, writeOperator(fixture, FUNCTIONS));
    expect(await strayingOutputs(model, expected)).toEqual([]);
    expect(refused).toEqual([]);
  });

  it('compute the same where sizes are open, or say that they need them', async () => {
    const fixture = await readSpatialFixture<OperatorCase>('operators');
    const { model, expected, refused } = modelOfCases(fixture, 'sizes', writeOperator(fixture, FUNCTIONS));
    const strayed = await strayingOutputs(model, expected);
    // onnxruntime rounds positions in another way than TensorFlow, and only it knows the sizes.
    expect(strayed.map(({ output }) => output)).toEqual(['resize_nearest_rounding']);
    const needSizes = /bicubic|area|gaussian|mitchellcubic|transposed/;
    expect(refused).toEqual(Object.keys(fixture.cases).filter((name) => needSizes.test(name)));
  });
});
