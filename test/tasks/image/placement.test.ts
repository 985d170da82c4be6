import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placePhoto, toPhoto } from '../../../lib/tasks/image/placement.js';

const side = fc.integer({ min: 1, max: 3000 });
const sizes = fc.record({ width: side, height: side });
const modes = ['letterbox', 'stretch', 'crop'] as const;

describe('the place of a photo in the input', () => {
  test('is found back from any point of the input', () => {
    fc.assert(
      fc.property(
        sizes,
        sizes,
        fc.constantFrom(...modes),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (input, photo, resize, share) => {
          const placement = placePhoto({ ...input, resize }, photo);
          const x = share * photo.width;
          const y = (1 - share) * photo.height;
          const back = toPhoto(
            placement,
            x * placement.scaleX + placement.offsetX,
            y * placement.scaleY + placement.offsetY,
          );
          expect(back.x).toBeCloseTo(x, 6);
          expect(back.y).toBeCloseTo(y, 6);
        },
      ),
    );
  });

  test('of a letterbox is whole, in the middle, and as large as the input allows', () => {
    fc.assert(
      fc.property(sizes, sizes, (input, photo) => {
        const { content, ...placement } = placePhoto({ ...input, resize: 'letterbox' }, photo);
        const right = input.width - content.left - content.width;
        const bottom = input.height - content.top - content.height;
        for (const gap of [right - content.left, bottom - content.top]) expect([0, 1]).toContain(gap);
        expect(content.left === 0 && right === 0 ? true : content.top === 0 && bottom === 0).toBe(true);
        const corner = toPhoto({ content, ...placement }, content.left + content.width, content.top + content.height);
        expect(corner.x).toBeCloseTo(photo.width, 6);
        expect(corner.y).toBeCloseTo(photo.height, 6);
      }),
    );
  });

  test('of a crop covers the whole input with the middle of the photo', () => {
    fc.assert(
      fc.property(sizes, sizes, (input, photo) => {
        const placement = placePhoto({ ...input, resize: 'crop' }, photo);
        expect(placement.content).toEqual({ left: 0, top: 0, ...input });
        const from = toPhoto(placement, 0, 0);
        const to = toPhoto(placement, input.width, input.height);
        expect(from.x).toBeGreaterThanOrEqual(-1e-6);
        expect(from.y).toBeGreaterThanOrEqual(-1e-6);
        expect(from.x + to.x).toBeCloseTo(photo.width, 6);
        expect(from.y + to.y).toBeCloseTo(photo.height, 6);
        expect(Math.max((to.x - from.x) / photo.width, (to.y - from.y) / photo.height)).toBeCloseTo(1, 6);
      }),
    );
  });

  test('of a photo of 1920 x 1080 in 256 x 256 is what one works out by hand', () => {
    const letterbox = placePhoto({ width: 256, height: 256, resize: 'letterbox' }, { width: 1920, height: 1080 });
    expect(letterbox.content).toEqual({ left: 0, top: 56, width: 256, height: 144 });
    expect(toPhoto(letterbox, 128, 56)).toEqual({ x: 960, y: 0 });
    expect(
      toPhoto(placePhoto({ width: 256, height: 256, resize: 'stretch' }, { width: 1920, height: 1080 }), 128, 64),
    ).toEqual({ x: 960, y: 270 });
  });
});
