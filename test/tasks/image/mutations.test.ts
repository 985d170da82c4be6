import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { RequestError } from '../../../lib/errors.js';
import { decodePicture } from '../../../lib/tasks/image/decode-picture.js';
import { samplePhoto } from '../../support/sample-photos.js';

let files: readonly { readonly kind: string; readonly bytes: Buffer }[];

beforeAll(async () => {
  const photo = () => sharp(samplePhoto('sample5.jpg')).resize(40, 30).withMetadata({ orientation: 6 });
  const kinds = {
    jpeg: photo().jpeg(),
    progressive: photo().jpeg({ progressive: true }),
    gray: photo().toColourspace('b-w').jpeg(),
    cmyk: photo().toColourspace('cmyk').jpeg(),
    png: photo().png(),
    interlaced: photo().ensureAlpha(0.5).png({ progressive: true }),
    palette: photo().png({ palette: true, colors: 16 }),
  };
  files = await Promise.all(
    Object.entries(kinds).map(async ([kind, image]) => ({ kind, bytes: await image.toBuffer() })),
  );
});

/** Of the processor, for what takes a millisecond when it is whole. */
const TIME_LIMIT_MICROSECONDS = 1_000_000;
const limits = { maxPixels: 1_000_000, maxDecodedBytes: 50_000_000 };

type Mutation = (bytes: Buffer) => Buffer;

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  // Headers more often than data.
  fc
    .tuple(
      fc.oneof(
        place,
        place.map((share) => share * 0.2),
      ),
      fc.nat(255),
    )
    .map(
      ([share, value]): Mutation =>
        (bytes) => {
          const changed = Buffer.from(bytes);
          changed[Math.floor(share * bytes.length)] = value;
          return changed;
        },
    ),
  fc.tuple(place, place).map(
    ([from, to]): Mutation =>
      (bytes) =>
        Buffer.concat([
          bytes.subarray(0, Math.floor(from * bytes.length)),
          bytes.subarray(Math.floor(to * bytes.length)),
        ]),
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(
    ([share, inserted]): Mutation =>
      (bytes) => {
        const at = Math.floor(share * bytes.length);
        return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]);
      },
  ),
);

describe('files that are damaged by chance', () => {
  test('are decoded or refused, soon, and the next file is decoded as ever', () => {
    const whole = files.map(({ bytes }) => decodePicture(bytes).picture.data);
    let refused = 0;
    fc.assert(
      fc.property(
        fc.nat({ max: files.length - 1 }),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(1, 0.3),
        (index, mutations, scale) => {
          const original = files[index]?.bytes ?? Buffer.alloc(0);
          const damaged = mutations.reduce((bytes, mutate) => mutate(bytes), original);
          const start = process.cpuUsage();
          try {
            const { picture } = decodePicture(damaged, { limits, scaleWanted: () => scale });
            expect(picture.data.length).toBe(picture.width * picture.height * 3);
          } catch (error) {
            if (!(error instanceof RequestError)) throw error;
            expect([400, 413, 415]).toContain(error.status);
            refused++;
          }
          expect(process.cpuUsage(start).user).toBeLessThan(TIME_LIMIT_MICROSECONDS);
        },
      ),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(500);
    for (const [index, { bytes, kind }] of files.entries()) {
      expect(Buffer.from(decodePicture(bytes).picture.data).equals(whole[index] ?? Buffer.alloc(0)), kind).toBe(true);
    }
  });
});
