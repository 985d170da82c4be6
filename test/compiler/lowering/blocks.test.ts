import { describe, expect, it } from 'vitest';
import { printModel } from '../../../lib/compiler/ir/print.js';
import {
  batchToSpace,
  depthToSpace,
  extractPatches,
  spaceToBatch,
  spaceToDepth,
} from '../../../lib/compiler/lowering/blocks.js';
import { depthwiseConvolution } from '../../../lib/compiler/lowering/convolution.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { removeDeadNodes } from '../../../lib/compiler/passes/remove-dead-nodes.js';
import { refusalOf } from '../../support/refusal.js';

describe('blocks', () => {
  it('that do not divide a tensor are refused', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: [6, 4, 6, 4] });
    const code = async (act: () => unknown) => (await refusalOf(act)).code;
    expect(await code(() => spaceToDepth(builder, x, 4))).toBe('BLOCK_SIZE');
    expect(await code(() => spaceToDepth(builder, x, 0))).toBe('BLOCK_SIZE');
    expect(await code(() => depthToSpace(builder, x, 3))).toBe('BLOCK_SIZE');
    expect(
      await code(() =>
        spaceToBatch(
          builder,
          x,
          [2, 4],
          [
            [0, 0],
            [0, 0],
          ],
        ),
      ),
    ).toBe('BLOCK_SIZE');
    expect(await code(() => batchToSpace(builder, x, [4], [[0, 0]]))).toBe('BLOCK_SIZE');
    expect(await code(() => batchToSpace(builder, x, [2], [[4, 4]]))).toBe('CROP_WIDTHS');
    expect(await code(() => batchToSpace(builder, x, [0], [[0, 0]]))).toBe('BLOCK_SIZE');
    expect(await code(() => extractPatches(builder, x, [100, 100]))).toBe('BLOCK_SIZE');
    expect(await code(() => extractPatches(builder, x, [2]))).toBe('BLOCK_SIZE');
  });

  it('keep sizes that are open', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: ['N', 'H', 6, 8] });
    expect(shapeOf(spaceToDepth(builder, x, 2))).toEqual(['N', undefined, 3, 32]);
    expect(shapeOf(depthToSpace(builder, x, 2))).toEqual(['N', undefined, 12, 2]);
    expect(shapeOf(extractPatches(builder, x, [2, 3]))).toEqual(['N', undefined, 4, 48]);
  });

  it('with a convolution between them are one dilated convolution', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: ['N', 'H', 'W', 4] });
    const kernel = builder.floats(new Float32Array(3 * 3 * 4), [3, 3, 4, 1]);
    const phases = spaceToBatch(
      builder,
      x,
      [2, 2],
      [
        [2, 3],
        [2, 2],
      ],
    );
    const convolved = depthwiseConvolution(builder, phases, kernel);
    const y = batchToSpace(
      builder,
      convolved,
      [2, 2],
      [
        [0, 1],
        [0, 0],
      ],
    );
    const other = batchToSpace(
      builder,
      convolved,
      [2, 2],
      [
        [3, 0],
        [0, 0],
      ],
    );
    const model = builder.finish([{ name: 'y', value: y }]);
    removeDeadNodes().run(model);
    expect(shapeOf(y)).toEqual(['N', 'H', 'W', 4]);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Transpose', 'Conv', 'Transpose']);
    expect(printModel(model)).toContain('dilations=[2, 2], group=4, kernel_shape=[3, 3], pads=[2, 2, 2, 2]');
    // What is cropped beyond the padding is cropped.
    expect(other.producer?.opType).toBe('Slice');
  });
});
