import { describe, expect, it } from 'vitest';
import { LayerConfig } from '../../../../../lib/compiler/readers/keras/layer-config.js';
import {
  dataFormatOf,
  paddingOf,
  pictureAxes,
  widthsOf,
  withOuter,
} from '../../../../../lib/compiler/readers/keras/layers/spatial.js';
import { refusalOf } from '../../../../support/refusal.js';

const config = (values: Readonly<Record<string, unknown>>) => new LayerConfig(values, "Conv2D 'first'");

describe('a config of a layer over spatial dimensions', () => {
  it('has a number for all widths, one for each dimension, or pairs', () => {
    const widths = (padding: unknown, rank: number) => widthsOf(config({ padding }), 'padding', rank, 1);
    expect(widths(2, 2)).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(widths([1, 2], 2)).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(
      widths(
        [
          [0, 1],
          [2, 0],
        ],
        2,
      ),
    ).toEqual([
      [0, 1],
      [2, 0],
    ]);
    expect(widths([1, 2], 1)).toEqual([[1, 2]]);
    expect(widths([[1, 2]], 1)).toEqual([[1, 2]]);
    expect(widths(undefined, 3)).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    expect(withOuter([[1, 2]], 'channels_last')).toEqual([
      [0, 0],
      [1, 2],
      [0, 0],
    ]);
    expect(withOuter([[1, 2]], 'channels_first')).toEqual([
      [0, 0],
      [0, 0],
      [1, 2],
    ]);
    expect(pictureAxes(4, 'channels_first')).toEqual([2, 3]);
  });

  it('is refused by the name of the layer and of the option', async () => {
    for (const padding of [
      -1,
      1.5,
      [1],
      [1, 2, 3],
      [[1, 2], 'x'],
      [
        [1, 2, 3],
        [1, 1],
      ],
      'same',
      2 ** 60,
    ]) {
      const refusal = await refusalOf(() => widthsOf(config({ padding }), 'padding', 2, 1));
      expect(refusal.code).toBe('LAYER_OPTION_UNSUPPORTED');
      expect(refusal.message).toContain("Conv2D 'first': padding");
    }
    expect((await refusalOf(() => paddingOf(config({ padding: 'full' })))).code).toBe('LAYER_OPTION_UNSUPPORTED');
    expect((await refusalOf(() => dataFormatOf(config({ data_format: 'NCHW' })))).code).toBe(
      'LAYER_OPTION_UNSUPPORTED',
    );
    expect(paddingOf(config({ padding: 'SAME' }))).toBe('same');
    expect(dataFormatOf(config({ data_format: null }))).toBe('channels_last');
  });
});
