import { describe, expect, it } from 'vitest';
import { centerCrop, cropToAspectRatio, padToAspectRatio } from '../../../lib/compiler/lowering/aspect-ratio.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { crop, type PadMode, pad, padByVector, type Widths } from '../../../lib/compiler/lowering/padding.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { refusalOf } from '../../support/refusal.js';

function input(shape: readonly (number | string)[]) {
  const builder = new GraphBuilder();
  return { builder, x: builder.input('x', { elementType: 'float32', shape }) };
}

describe('padding', () => {
  it('writes nothing for widths of 0, and one Pad else', () => {
    const { builder, x } = input(['N', 4, 'W', 3]);
    expect(pad(builder, x, Array<[number, number]>(4).fill([0, 0]))).toBe(x);
    const padded = pad(builder, x, [
      [0, 0],
      [1, 2],
      [0, 0],
      [0, 0],
    ]);
    expect(shapeOf(padded)).toEqual(['N', 7, 'W', 3]);
    expect(
      shapeOf(
        pad(builder, x, [
          [0, 0],
          [0, 0],
          [0, 1],
          [0, 0],
        ]),
      ),
    ).toEqual(['N', 4, undefined, 3]);
    expect(builder.graph.nodes.map(({ opType }) => opType)).toEqual(['Pad', 'Pad']);
  });

  it('by a vector that is known is padding by numbers', () => {
    const { builder, x } = input([1, 4]);
    expect(shapeOf(padByVector(builder, x, builder.int64([0, 1, 0, 2])))).toEqual([1, 7]);
  });

  it('repeats constants at once, mirrored too', () => {
    const builder = new GraphBuilder();
    const x = builder.floats([1, 2, 3]);
    const padded = (mode: PadMode, value?: number) =>
      pad(builder, x, [[1, 1]], { mode, ...(value !== undefined && { value }) }).initializer?.numbers();
    expect(padded('constant', 9)).toEqual([9, 1, 2, 3, 9]);
  });

  it('refuses what there is too little for', async () => {
    const { builder, x } = input(['N', 3]);
    const refused = async (widths: Widths, mode: PadMode = 'constant') =>
      (await refusalOf(() => pad(builder, x, widths, { mode }))).code;
    expect(await refused([[0, 0]])).toBe('PAD_WIDTHS');
    expect(
      await refused([
        [0, 0],
        [-1, 0],
      ]),
    ).toBe('PAD_WIDTHS');
    expect(
      await refused([
        [0, 0],
        [0.5, 0],
      ]),
    ).toBe('PAD_WIDTHS');
    expect(
      await refused(
        [
          [0, 0],
          [3, 0],
        ],
        'reflect',
      ),
    ).toBe('PAD_WIDTHS');
    expect(
      await refused(
        [
          [0, 0],
          [0, 4],
        ],
        'symmetric',
      ),
    ).toBe('PAD_WIDTHS');
    expect(
      shapeOf(
        pad(
          builder,
          x,
          [
            [0, 0],
            [2, 0],
          ],
          { mode: 'reflect' },
        ),
      ),
    ).toEqual(['N', 5]);
    expect(
      shapeOf(
        pad(
          builder,
          x,
          [
            [0, 0],
            [0, 3],
          ],
          { mode: 'symmetric' },
        ),
      ),
    ).toEqual(['N', 6]);
    const open = builder.input('widths', { elementType: 'int64', shape: [4] });
    const refusal = await refusalOf(() => padByVector(builder, x, open, { mode: 'symmetric' }));
    expect(refusal.code).toBe('PAD_WIDTHS');
  });
});

describe('cropping', () => {
  it('leaves something, or is refused', async () => {
    const { builder, x } = input(['N', 3]);
    expect(
      crop(builder, x, [
        [0, 0],
        [0, 0],
      ]),
    ).toBe(x);
    expect(
      shapeOf(
        crop(builder, x, [
          [0, 0],
          [1, 1],
        ]),
      ),
    ).toEqual(['N', 1]);
    const refused = async (widths: Widths) => (await refusalOf(() => crop(builder, x, widths))).code;
    expect(
      await refused([
        [0, 0],
        [1, 2],
      ]),
    ).toBe('CROP_WIDTHS');
    expect(
      await refused([
        [0, 0],
        [-1, 2],
      ]),
    ).toBe('CROP_WIDTHS');
    expect(await refused([[1, 1]])).toBe('CROP_WIDTHS');
  });

  it('to the shape of a picture wants pictures, and sizes of at least 1', async () => {
    const { builder, x } = input(['N', 4, 6, 3]);
    for (const change of [cropToAspectRatio, centerCrop]) {
      expect((await refusalOf(() => change(builder, x, [1, 2], [0, 3]))).code).toBe('PICTURE_SIZE');
      expect((await refusalOf(() => change(builder, x, [1, 2], [2.5, 3]))).code).toBe('PICTURE_SIZE');
    }
    expect((await refusalOf(() => padToAspectRatio(builder, x, [1, 2], [0, 3], 0))).code).toBe('PICTURE_SIZE');
    expect((await refusalOf(() => centerCrop(builder, x, [1, 2], [5, 3]))).code).toBe('CROP_WIDTHS');
    expect(shapeOf(centerCrop(builder, x, [1, 2], [3, 3]))).toEqual(['N', 3, 3, 3]);
    expect(shapeOf(cropToAspectRatio(builder, x, [1, 2], [100, 100]))).toEqual(['N', 4, 4, 3]);
    expect(shapeOf(padToAspectRatio(builder, x, [1, 2], [100, 100], 0))).toEqual(['N', 6, 6, 3]);
  });
});
