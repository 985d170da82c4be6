import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodePicture } from '../../../lib/tasks/image/decode-picture.js';
import { CHANNELS_OF, encodePng, type PngImage, pngChunk, pngHeader } from '../../support/png-encoder.js';
import { refusalOf } from '../../support/refusal.js';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');

const kinds = [
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [3, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
] as const;

const image: fc.Arbitrary<PngImage & { readonly palette: readonly number[] }> = fc
  .record({
    kind: fc.constantFrom(...kinds.flatMap(([colorType, depths]) => depths.map((depth) => ({ colorType, depth })))),
    width: fc.integer({ min: 1, max: 19 }),
    height: fc.integer({ min: 1, max: 19 }),
    interlaced: fc.boolean(),
    filters: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 7 }),
    dataChunks: fc.integer({ min: 1, max: 3 }),
  })
  .chain(({ kind, ...rest }) => {
    const channels = CHANNELS_OF[kind.colorType];
    const count = rest.width * rest.height * channels;
    const palette = fc.array(fc.nat({ max: 255 }), { minLength: 3 * 2 ** Math.min(kind.depth, 8), maxLength: 768 });
    return fc
      .record({
        samples: fc.array(fc.nat({ max: 2 ** kind.depth - 1 }), { minLength: count, maxLength: count }),
        palette: palette.map((values) => values.slice(0, 3 * 2 ** Math.min(kind.depth, 8))),
      })
      .map((content) => {
        const chunks = kind.colorType === 3 ? [{ type: 'PLTE', data: Uint8Array.from(content.palette) }] : [];
        return { ...kind, ...rest, ...content, chunks };
      });
  });

/** By the definition of the format, one pixel at a time. */
function expectedRgb(
  { colorType, depth, samples, palette, width, height }: PngImage & { palette: readonly number[] },
  background: readonly number[],
) {
  const channels = CHANNELS_OF[colorType];
  const top = 2 ** depth - 1;
  return Array.from({ length: width * height }, (_, pixel) => {
    const values = samples.slice(pixel * channels, (pixel + 1) * channels);
    if (colorType === 3) return palette.slice((values[0] ?? 0) * 3, (values[0] ?? 0) * 3 + 3);
    const eight = values.map((value) => Math.round((value * 255) / top));
    const rgb = colorType === 2 || colorType === 6 ? eight.slice(0, 3) : [eight[0], eight[0], eight[0]];
    const alpha = colorType === 4 || colorType === 6 ? (eight.at(-1) ?? 0) : 255;
    return rgb.map((value, channel) =>
      Math.round(((value ?? 0) * alpha + (background[channel] ?? 0) * (255 - alpha)) / 255),
    );
  }).flat();
}

describe('a PNG', () => {
  test('of any colour type, depth, filter and interlacing becomes the pixels that it says', () => {
    fc.assert(
      fc.property(image, fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)), (picture, background) => {
        const decoded = decodePicture(encodePng(picture), { background });
        expect([decoded.photoWidth, decoded.photoHeight, decoded.scale]).toEqual([picture.width, picture.height, 1]);
        expect([...decoded.picture.data]).toEqual(expectedRgb(picture, background));
      }),
      { numRuns: 300 },
    );
  });

  test('that sharp wrote is read as sharp reads it', async () => {
    const noise = sharp({
      create: {
        width: 61,
        height: 47,
        channels: 3,
        background: 'black',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    });
    for (const options of [{}, { progressive: true }, { palette: true, colors: 5 }, { adaptiveFiltering: true }]) {
      const png = await noise.clone().png(options).toBuffer();
      const expected = await sharp(png).removeAlpha().toColourspace('srgb').raw().toBuffer();
      expect(Buffer.from(decodePicture(png).picture.data).equals(expected), JSON.stringify(options)).toBe(true);
    }
  });

  test('shows its background where the palette or a key colour is transparent', () => {
    const background = [10, 20, 30] as const;
    const palette = encodePng({
      width: 3,
      height: 1,
      depth: 8,
      colorType: 3,
      samples: [0, 1, 2],
      chunks: [
        { type: 'PLTE', data: Uint8Array.of(200, 100, 50, 200, 100, 50, 200, 100, 50) },
        { type: 'tRNS', data: Uint8Array.of(0, 51) },
      ],
    });
    expect([...decodePicture(palette, { background }).picture.data]).toEqual([10, 20, 30, 48, 36, 34, 200, 100, 50]);
    const gray = encodePng({
      width: 2,
      height: 1,
      depth: 4,
      colorType: 0,
      samples: [7, 8],
      chunks: [{ type: 'tRNS', data: Uint8Array.of(0, 7) }],
    });
    expect([...decodePicture(gray, { background }).picture.data]).toEqual([10, 20, 30, 136, 136, 136]);
    const deep = encodePng({
      width: 2,
      height: 1,
      depth: 16,
      colorType: 2,
      samples: [0x0102, 0x0304, 0x0506, 0x0102, 0x0304, 0x0507],
      chunks: [{ type: 'tRNS', data: Uint8Array.of(1, 2, 3, 4, 5, 6) }],
    });
    expect([...decodePicture(deep, { background }).picture.data]).toEqual([10, 20, 30, 1, 3, 5]);
  });

  test('with an orientation is turned', () => {
    const exif = Buffer.from('4d4d002a00000008000101120003000000010006000000000000', 'hex');
    const png = encodePng({
      width: 2,
      height: 1,
      depth: 8,
      colorType: 0,
      samples: [1, 2],
      chunks: [{ type: 'eXIf', data: exif }],
    });
    const { picture, photoWidth, photoHeight } = decodePicture(png);
    expect([photoWidth, photoHeight, picture.width, picture.height]).toEqual([1, 2, 1, 2]);
    expect([...picture.data]).toEqual([1, 1, 1, 2, 2, 2]);
  });
});

describe('a PNG is refused', () => {
  const small: PngImage = {
    width: 9,
    height: 7,
    depth: 8,
    colorType: 2,
    samples: Array.from({ length: 189 }, (_, index) => index),
  };

  test('before memory is taken when its header says 50,000 x 50,000', async () => {
    const header = { width: 50_000, height: 50_000, depth: 8, colorType: 6 } as const;
    const data = deflateSync(Buffer.alloc(100_000));
    const bomb = Buffer.concat([
      SIGNATURE,
      pngHeader(header),
      pngChunk('IDAT', data),
      pngChunk('IEND', Buffer.alloc(0)),
    ]);
    const before = process.memoryUsage();
    const refusal = await refusalOf(() => decodePicture(bomb));
    const after = process.memoryUsage();
    expect(refusal).toMatchObject({ status: 413, code: 'PICTURE_TOO_LARGE' });
    expect(refusal.message).toContain('50000 x 50000');
    expect(refusal.advice).not.toBe('');
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(10_000_000);
  });

  test('by each of its limits', async () => {
    const png = encodePng(small);
    expect(() => decodePicture(png, { limits: { maxSide: 9, maxPixels: 63, maxDecodedBytes: 2000 } })).not.toThrow();
    for (const limits of [{ maxSide: 8 }, { maxPixels: 62 }, { maxDecodedBytes: 385 }]) {
      expect(await refusalOf(() => decodePicture(png, { limits }))).toMatchObject({
        status: 413,
        code: 'PICTURE_TOO_LARGE',
      });
    }
  });

  test('when more pixels are in it than its header says, without inflating them', async () => {
    const header = { width: 10, height: 10, depth: 8, colorType: 0 } as const;
    for (const interlaced of [false, true]) {
      const data = deflateSync(Buffer.alloc(50_000_000));
      const bomb = Buffer.concat([
        SIGNATURE,
        pngHeader({ ...header, interlaced }),
        pngChunk('IDAT', data),
        pngChunk('IEND', Buffer.alloc(0)),
      ]);
      const before = process.memoryUsage().arrayBuffers;
      expect(await refusalOf(() => decodePicture(bomb))).toMatchObject({ status: 400, code: 'PICTURE_DAMAGED' });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    }
  });

  test('when fewer pixels are in it than its header says', async () => {
    const header = pngHeader({ width: 10, height: 10, depth: 8, colorType: 0 });
    for (const bytes of [0, 109]) {
      const data = pngChunk('IDAT', deflateSync(Buffer.alloc(bytes)));
      const short = Buffer.concat([SIGNATURE, header, data, pngChunk('IEND', Buffer.alloc(0))]);
      const refusal = await refusalOf(() => decodePicture(short));
      expect(refusal).toMatchObject({ status: 400, code: 'PICTURE_DAMAGED' });
      expect(refusal.message).toContain('110');
    }
  });

  test('wherever it is cut off', async () => {
    const png = encodePng(small);
    for (let length = 8; length < png.length; length++) {
      const refusal = await refusalOf(() => decodePicture(png.subarray(0, length)));
      expect(refusal, `${length} of ${png.length} bytes`).toMatchObject({ status: 400, code: 'PICTURE_DAMAGED' });
    }
  });

  test('when a checksum is wrong, a filter unknown or a colour outside the palette', async () => {
    const palette = { type: 'PLTE', data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    const flipped = Buffer.from(
      encodePng({ width: 1, height: 1, depth: 8, colorType: 3, samples: [1], chunks: [palette] }),
    );
    expect([...decodePicture(flipped).picture.data]).toEqual([4, 5, 6]);
    flipped[flipped.indexOf('PLTE') + 8] = 9;
    const faults = [
      flipped,
      encodePng({ ...small, filters: [5] }),
      encodePng({
        width: 1,
        height: 1,
        depth: 8,
        colorType: 3,
        samples: [2],
        chunks: [{ type: 'PLTE', data: Buffer.alloc(6) }],
      }),
      encodePng({ width: 1, height: 1, depth: 8, colorType: 3, samples: [0] }),
    ];
    for (const fault of faults) {
      expect(await refusalOf(() => decodePicture(fault))).toMatchObject({ status: 400, code: 'PICTURE_DAMAGED' });
    }
    const odd = encodePng({ ...small, depth: 4 });
    expect(await refusalOf(() => decodePicture(odd))).toMatchObject({
      status: 415,
      code: 'PICTURE_VARIANT_UNSUPPORTED',
    });
  });
});
