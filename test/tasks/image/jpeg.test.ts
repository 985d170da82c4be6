import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodePicture } from '../../../lib/tasks/image/decode-picture.js';
import { refusalOf } from '../../support/refusal.js';
import { samplePhoto } from '../../support/sample-photos.js';

/** A part of a real photo, small and not square. */
const crop = () => sharp(samplePhoto('sample3.jpg')).extract({ left: 500, top: 280, width: 157, height: 93 });

function meanDifference(one: Uint8Array, other: Uint8Array): number {
  expect(one.length).toBe(other.length);
  return one.reduce((sum, value, index) => sum + Math.abs(value - (other[index] ?? 0)), 0) / one.length;
}

const decodedBySharp = (jpeg: Uint8Array) => sharp(jpeg).rotate().toColourspace('srgb').raw().toBuffer();

describe('a JPEG', () => {
  test.each([
    ['baseline', {}],
    ['without subsampling', { chromaSubsampling: '4:4:4' }],
    ['progressive', { progressive: true }],
    ['with optimized tables', { optimizeCoding: true, quality: 40 }],
  ])('%s is read as sharp reads it', async (_, options) => {
    const jpeg = await crop().jpeg(options).toBuffer();
    const { picture, photoWidth, photoHeight, scale } = decodePicture(jpeg);
    expect([picture.width, picture.height, photoWidth, photoHeight, scale]).toEqual([157, 93, 157, 93, 1]);
    expect(meanDifference(picture.data, await decodedBySharp(jpeg))).toBeLessThan(0.5);
  });

  test('in grayscale has three equal channels', async () => {
    const jpeg = await crop().toColourspace('b-w').jpeg().toBuffer();
    const { data } = decodePicture(jpeg).picture;
    expect(meanDifference(data, await decodedBySharp(jpeg))).toBeLessThan(0.5);
    expect(data.every((value, index) => value === data[index - (index % 3)])).toBe(true);
  });

  test('in CMYK has the colours that it had in RGB', async () => {
    const jpeg = await crop().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer();
    expect((await sharp(jpeg).metadata()).channels).toBe(4);
    const original = await crop().raw().toBuffer();
    // No colour profile is applied, and inks are darker than light: the picture is the same, its tones only nearly.
    expect(meanDifference(decodePicture(jpeg).picture.data, original)).toBeLessThan(30);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('with orientation %i is shown as people see it', async (orientation) => {
    const jpeg = await crop().withMetadata({ orientation }).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
    const { picture, photoWidth, photoHeight } = decodePicture(jpeg);
    expect([photoWidth, photoHeight]).toEqual(orientation < 5 ? [157, 93] : [93, 157]);
    expect([picture.width, picture.height]).toEqual([photoWidth, photoHeight]);
    expect(meanDifference(picture.data, await decodedBySharp(jpeg))).toBeLessThan(0.5);
  });

  test('is decoded no larger than wanted, with the size of the whole photo beside it', async () => {
    const jpeg = await crop().withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const small = decodePicture(jpeg, { scaleWanted: () => 0.3 });
    expect(small).toMatchObject({ photoWidth: 93, photoHeight: 157, scale: 3 / 8 });
    expect([small.picture.width, small.picture.height]).toEqual([35, 59]);
    const expected = await sharp(await decodedBySharp(jpeg), { raw: { width: 93, height: 157, channels: 3 } })
      .resize(35, 59, { fit: 'fill', kernel: 'linear' })
      .raw()
      .toBuffer();
    expect(meanDifference(small.picture.data, expected)).toBeLessThan(4);
  });

  test('may be followed by other data, as phones append it', async () => {
    const jpeg = await crop().jpeg().toBuffer();
    const followed = Buffer.concat([jpeg, Buffer.from('a film'), jpeg]);
    expect(meanDifference(decodePicture(followed).picture.data, decodePicture(jpeg).picture.data)).toBe(0);
  });
});

/** Where the marker's two bytes are. */
const markerAt = (jpeg: Buffer, code: number) => jpeg.indexOf(Buffer.of(0xff, code));

describe('a JPEG is refused', () => {
  test('wherever it is cut off', async () => {
    const jpeg = await crop().resize(24, 16).jpeg().toBuffer();
    for (let length = 3; length < jpeg.length; length++) {
      const refusal = await refusalOf(() => decodePicture(jpeg.subarray(0, length)));
      expect(refusal, `${length} of ${jpeg.length} bytes`).toMatchObject({ status: 400, code: 'PICTURE_DAMAGED' });
    }
  });

  test('when an end marker comes too early', async () => {
    const jpeg = await crop().jpeg().toBuffer();
    const torn = Buffer.concat([jpeg.subarray(0, jpeg.length / 2), Buffer.of(0xff, 0xd9)]);
    expect(await refusalOf(() => decodePicture(torn))).toMatchObject({ status: 400, code: 'PICTURE_DAMAGED' });
  });

  test('before memory is taken when its header says 65,535 x 65,535', async () => {
    const jpeg = await crop().jpeg().toBuffer();
    jpeg.fill(0xff, markerAt(jpeg, 0xc0) + 5, markerAt(jpeg, 0xc0) + 9);
    const before = process.memoryUsage().arrayBuffers;
    const refusal = await refusalOf(() => decodePicture(jpeg, { scaleWanted: () => 0.01 }));
    expect(refusal).toMatchObject({ status: 413, code: 'PICTURE_TOO_LARGE' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  test('when it is of a kind that is not decoded', async () => {
    const jpeg = await crop().jpeg().toBuffer();
    const frame = markerAt(jpeg, 0xc0);
    for (const [offset, value] of [
      [1, 0xc3],
      [1, 0xc9],
      [4, 12],
      [9, 2],
    ] as const) {
      const other = Buffer.from(jpeg);
      other[frame + offset] = value;
      expect(await refusalOf(() => decodePicture(other))).toMatchObject({
        status: 415,
        code: 'PICTURE_VARIANT_UNSUPPORTED',
      });
    }
  });

  test('when its scans would keep the decoder busy', async () => {
    const jpeg = await crop().jpeg({ progressive: true }).toBuffer();
    const lastScan = jpeg.subarray(jpeg.lastIndexOf(Buffer.of(0xff, 0xda)), -2);
    const end = jpeg.subarray(-2);
    const busy = Buffer.concat([jpeg.subarray(0, -2), ...Array<Buffer>(200).fill(lastScan), end]);
    expect(await refusalOf(() => decodePicture(busy))).toMatchObject({
      status: 415,
      code: 'PICTURE_VARIANT_UNSUPPORTED',
    });
    const large = Buffer.concat([jpeg.subarray(0, -2), ...Array<Buffer>(60).fill(lastScan), end]);
    large.writeUInt16BE(6000, markerAt(large, 0xc2) + 5);
    large.writeUInt16BE(6000, markerAt(large, 0xc2) + 7);
    const refusal = await refusalOf(() => decodePicture(large, { scaleWanted: () => 0.01 }));
    expect(refusal).toMatchObject({ status: 415, code: 'PICTURE_VARIANT_UNSUPPORTED' });
  });
});

describe('a body is refused', () => {
  test('when it is empty or neither JPEG nor PNG', async () => {
    expect(await refusalOf(() => decodePicture(new Uint8Array(0)))).toMatchObject({
      status: 400,
      code: 'PICTURE_MISSING',
    });
    for (const body of ['GIF89a', '{"image":"…"}', '\xff\xd8', 'RIFF\0\0\0\0WEBP', '\x89PNG']) {
      const refusal = await refusalOf(() => decodePicture(Buffer.from(body, 'latin1')));
      expect(refusal).toMatchObject({ status: 415, code: 'PICTURE_FORMAT_UNKNOWN' });
    }
  });
});
