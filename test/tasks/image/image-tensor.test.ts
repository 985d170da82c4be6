import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DataType, Dimension } from '../../../lib/artifact/manifest.js';
import type { ImagePreprocessing } from '../../../lib/artifact/task.js';
import { decodePicture } from '../../../lib/tasks/image/decode-picture.js';
import { checkImageInput } from '../../../lib/tasks/image/image-input.js';
import { imageTensor } from '../../../lib/tasks/image/image-tensor.js';
import type { DecodedPicture } from '../../../lib/tasks/image/picture.js';
import { refusalOf } from '../../support/refusal.js';
import { samplePhoto, samplePhotoNames } from '../../support/sample-photos.js';

const settings: ImagePreprocessing = {
  input: 'pixels',
  width: 4,
  height: 2,
  resize: 'stretch',
  layout: 'NHWC',
  channels: 'RGB',
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

const byte = fc.nat({ max: 255 });

/** The photo has the size of the input, so that every number can be followed. */
function decodedOf(width: number, height: number, data: Uint8Array): DecodedPicture {
  return { picture: { width, height, data }, photoWidth: width, photoHeight: height, scale: 1 };
}

describe('a picture in a tensor', () => {
  test('has each pixel at the place of its layout and channel order, normalized by its channel', () => {
    const sides = fc.record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) });
    const pictures = sides.chain(({ width, height }) =>
      fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        data: fc.uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 }),
      }),
    );
    fc.assert(
      fc.property(
        pictures,
        fc.constantFrom('NHWC' as const, 'NCHW' as const),
        fc.constantFrom('RGB' as const, 'BGR' as const),
        fc.tuple(byte, byte, byte),
        fc.tuple(byte, byte, byte).map((values) => values.map((value) => value + 1)),
        ({ width, height, data }, layout, channels, mean, std) => {
          const image = { ...settings, width, height, layout, channels, mean, std };
          const { feed } = imageTensor(image, 'float32', decodedOf(width, height, data));
          expect(feed.shape).toEqual(layout === 'NHWC' ? [1, height, width, 3] : [1, 3, height, width]);
          for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++) {
              for (let channel = 0; channel < 3; channel++) {
                const value = data[(y * width + x) * 3 + (channels === 'BGR' ? 2 - channel : channel)] ?? 0;
                const at = layout === 'NHWC' ? (y * width + x) * 3 + channel : (channel * height + y) * width + x;
                expect(feed.data[at]).toBeCloseTo((value - (mean[channel] ?? 0)) / (std[channel] ?? 1), 3);
              }
            }
          }
        },
      ),
    );
  });

  test('in gray weighs red, green and blue as BT.601', () => {
    const data = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255);
    const image = { ...settings, width: 2, height: 2, channels: 'grayscale', mean: [0], std: [255] } as const;
    const { feed } = imageTensor(image, 'float32', decodedOf(2, 2, data));
    expect(feed.shape).toEqual([1, 2, 2, 1]);
    [0.299, 0.587, 0.114, 1].forEach((value, index) => {
      expect(feed.data[index]).toBeCloseTo(value, 5);
    });
  });

  test('as uint8 is rounded, not cut', () => {
    const data = Uint8Array.of(0, 10, 255, 1, 11, 255);
    const { feed } = imageTensor({ ...settings, width: 1, height: 1 }, 'uint8', decodedOf(2, 1, data));
    expect(feed.data).toBeInstanceOf(Uint8Array);
    expect([...(feed.data as Uint8Array)]).toEqual([0, 10, 255]);
    const rounded = imageTensor(
      { ...settings, width: 1, height: 1 },
      'uint8',
      decodedOf(2, 1, Uint8Array.of(0, 0, 0, 3, 5, 255)),
    );
    expect([...(rounded.feed.data as Uint8Array)]).toEqual([2, 2, 128]);
  });

  test.each(['NHWC', 'NCHW'] as const)('in a letterbox of layout %s is padded with its normalized value', (layout) => {
    const data = new Uint8Array(4 * 4 * 3).fill(200);
    const image = {
      ...settings,
      width: 8,
      height: 4,
      resize: 'letterbox',
      layout,
      padValue: 114,
      mean: [14, 14, 14],
      std: [10, 10, 10],
    } as const;
    const { feed, placement } = imageTensor(image, 'float32', decodedOf(4, 4, data));
    expect(placement.content).toEqual({ left: 2, top: 0, width: 4, height: 4 });
    for (let index = 0; index < 96; index++) {
      const x = layout === 'NHWC' ? Math.floor(index / 3) % 8 : index % 8;
      expect(feed.data[index]).toBeCloseTo(x >= 2 && x < 6 ? 18.6 : 10, 4);
    }
  });

  test('of a crop is the middle of the photo', () => {
    const data = Uint8Array.from({ length: 12 * 4 * 3 }, (_, index) => (Math.floor(index / 3) % 12) * 20);
    const { feed } = imageTensor(
      { ...settings, width: 4, height: 4, resize: 'crop' },
      'float32',
      decodedOf(12, 4, data),
    );
    expect([0, 3, 6, 9].map((index) => Math.round(Number(feed.data[index])))).toEqual([80, 100, 120, 140]);
  });

  test('of a crop is the middle of the photo too when it was decoded at half its size', () => {
    const data = Uint8Array.from({ length: 6 * 2 * 3 }, (_, index) => (Math.floor(index / 3) % 6) * 20);
    const decoded = { picture: { width: 6, height: 2, data }, photoWidth: 12, photoHeight: 4, scale: 0.5 };
    const { feed, placement } = imageTensor({ ...settings, width: 2, height: 2, resize: 'crop' }, 'float32', decoded);
    expect(placement.scaleX).toBe(0.5);
    expect([0, 3].map((index) => Math.round(Number(feed.data[index])))).toEqual([40, 60]);
  });

  test.each(samplePhotoNames)('hardly differs when %s was decoded at a fraction of its size', (name) => {
    const image = { ...settings, width: 256, height: 256, resize: 'letterbox' } as const;
    const whole = imageTensor(image, 'float32', decodePicture(samplePhoto(name))).feed.data;
    const decoded = decodePicture(samplePhoto(name), {
      scaleWanted: (photo) => 512 / Math.max(photo.width, photo.height),
    });
    expect(decoded.picture.width).toBeLessThan(decoded.photoWidth / 2);
    const fraction = imageTensor(image, 'float32', decoded).feed.data;
    let sum = 0;
    for (let index = 0; index < whole.length; index++) sum += Math.abs(Number(whole[index]) - Number(fraction[index]));
    expect(sum / whole.length).toBeLessThan(0.5);
  });
});

describe('a task whose image does not fit the model', () => {
  const signature = (inputs: readonly [string, DataType, readonly Dimension[] | null][]) => ({
    inputs: inputs.map(([name, dataType, shape]) => ({ name, dataType, shape })),
    outputs: [],
  });

  test('is told apart from one that does', async () => {
    for (const shape of [[1, 2, 4, 3], ['batch', null, 'width', 3], null]) {
      expect(checkImageInput(settings, signature([['pixels', 'float32', shape]])).name).toBe('pixels');
    }
    const faults = [
      ['TASK_INPUT_MISSING', [['x', 'float32', null]]],
      [
        'TASK_INPUTS_UNFED',
        [
          ['pixels', 'float32', null],
          ['sr', 'int64', []],
        ],
      ],
      ['TASK_INPUT_TYPE', [['pixels', 'int64', null]]],
      ['TASK_INPUT_SHAPE', [['pixels', 'float32', [1, 3, 2, 4]]]],
      ['TASK_INPUT_SHAPE', [['pixels', 'float32', [2, 4, 3]]]],
    ] as const;
    for (const [code, inputs] of faults) {
      const refusal = await refusalOf(() => checkImageInput(settings, signature(inputs as never)));
      expect(refusal.code).toBe(code);
    }
  });
});
