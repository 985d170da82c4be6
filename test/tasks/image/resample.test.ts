import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { Picture } from '../../../lib/tasks/image/picture.js';
import { type Region, resample } from '../../../lib/tasks/image/resample.js';
import { samplePhoto } from '../../support/sample-photos.js';

function resampled(
  picture: Picture,
  size: { width: number; height: number },
  region: Region = { left: 0, top: 0, width: picture.width, height: picture.height },
): Float32Array {
  const result = new Float32Array(size.width * size.height * 3);
  resample(picture, region, size, (row, y) => result.set(row, y * size.width * 3));
  return result;
}

const side = fc.integer({ min: 1, max: 40 });
const size = fc.record({ width: side, height: side });
const picture: fc.Arbitrary<Picture> = size.chain(({ width, height }) =>
  fc
    .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
    .map((data) => ({ width, height, data })),
);

describe('resampling', () => {
  test('to the same size changes nothing', () => {
    fc.assert(
      fc.property(picture, (source) => {
        expect([...resampled(source, source)]).toEqual([...source.data]);
      }),
    );
  });

  test('stays between the darkest and the lightest pixel, and keeps a plain colour', () => {
    fc.assert(
      fc.property(picture, size, (source, target) => {
        const values = resampled(source, target);
        const [low, high] = [Math.min(...source.data), Math.max(...source.data)];
        for (const value of values) expect(value >= low - 1e-3 && value <= high + 1e-3).toBe(true);
        const plain = { ...source, data: source.data.map((_, index) => [7, 99, 250][index % 3] ?? 0) };
        for (const [index, value] of resampled(plain, target).entries())
          expect(value).toBeCloseTo([7, 99, 250][index % 3] ?? 0, 3);
      }),
    );
  });

  test('mirrored is the mirror of resampling', () => {
    const mirror = <T extends Uint8Array | Float32Array>(data: T, width: number): T =>
      data.map((_, index) => {
        const pixel = Math.floor(index / 3);
        return data[(pixel - (pixel % width) + width - 1 - (pixel % width)) * 3 + (index % 3)] ?? 0;
      }) as T;
    fc.assert(
      fc.property(picture, size, (source, target) => {
        const mirrored = { ...source, data: mirror(source.data, source.width) };
        const one = mirror(resampled(mirrored, target), target.width);
        for (const [index, value] of resampled(source, target).entries()) expect(one[index]).toBeCloseTo(value, 2);
      }),
    );
  });

  test('a region is resampling the cut-out, but for what its edges see beyond it', () => {
    const data = Uint8Array.from(
      { length: 64 * 64 * 3 },
      (_, index) => (index % 3 === 0 ? Math.floor(index / 3) % 64 : Math.floor(index / 192)) * 4,
    );
    const values = resampled(
      { width: 64, height: 64, data },
      { width: 8, height: 8 },
      { left: 16, top: 8, width: 32, height: 48 },
    );
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 8; x++) {
        // A ramp stays a ramp: the value at the centre of what the pixel covers.
        expect(values[(y * 8 + x) * 3]).toBeCloseTo((16 + x * 4 + 2 - 0.5) * 4, 3);
        expect(values[(y * 8 + x) * 3 + 1]).toBeCloseTo((8 + y * 6 + 3 - 0.5) * 4, 3);
      }
    }
  });

  test('a checkerboard to a fraction of its size gives gray, not stripes', () => {
    const data = Uint8Array.from(
      { length: 90 * 90 * 3 },
      (_, index) => ((Math.floor(index / 3) + Math.floor(index / 270)) % 2) * 255,
    );
    for (const value of resampled({ width: 90, height: 90, data }, { width: 13, height: 17 }))
      expect(Math.abs(value - 127.5)).toBeLessThan(6);
  });

  test('a photo gives what libvips makes of it with the same filter', async () => {
    const photo = sharp(samplePhoto('sample1.jpg')).resize(600, 400);
    const source = { width: 600, height: 400, data: new Uint8Array(await photo.clone().raw().toBuffer()) };
    const target = { width: 131, height: 77 };
    const expected = await sharp(source.data, { raw: { width: 600, height: 400, channels: 3 } })
      .resize({ ...target, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
      .raw()
      .toBuffer();
    const values = resampled(source, target);
    const mean =
      values.reduce((sum, value, index) => sum + Math.abs(value - (expected[index] ?? 0)), 0) / values.length;
    expect(mean).toBeLessThan(1);
  });
});
