import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSnappy } from '../../../../lib/compiler/formats/tensorflow/snappy.js';

const bytes = (...values: number[]) => Uint8Array.from(values);
const ascii = (text: string) => [...new TextEncoder().encode(text)];

describe('a block', () => {
  test('of literals, short and long', () => {
    expect(decodeSnappy(bytes(3, (3 - 1) << 2, 1, 2, 3))).toEqual(bytes(1, 2, 3));
    const long = new Array<number>(300).fill(7);
    expect(decodeSnappy(bytes(0xac, 0x02, 61 << 2, 43, 1, ...long))).toEqual(bytes(...long));
    expect(decodeSnappy(bytes(0))).toEqual(bytes());
  });

  test('of copies with one, two and four bytes of offset, which may overlap what they write', () => {
    // 'ab', then 6 bytes from 2 back.
    const expected = bytes(...ascii('abababab'));
    expect(decodeSnappy(bytes(8, 1 << 2, ...ascii('ab'), ((6 - 4) << 2) | 1, 2))).toEqual(expected);
    expect(decodeSnappy(bytes(8, 1 << 2, ...ascii('ab'), ((6 - 1) << 2) | 2, 2, 0))).toEqual(expected);
    expect(decodeSnappy(bytes(8, 1 << 2, ...ascii('ab'), ((6 - 1) << 2) | 3, 2, 0, 0, 0))).toEqual(expected);
  });
});

describe('what is no block', () => {
  test.each([
    ['nothing', bytes()],
    ['a length that does not end', bytes(0xff, 0xff, 0xff, 0xff, 0xff, 1)],
    ['a length that its bytes cannot make', bytes(0xff, 0xff, 0xff, 0xff, 0x0f, 0)],
    ['a literal that is cut', bytes(3, 2 << 2, 1)],
    ['a literal longer than the block', bytes(1, 2 << 2, 1, 2, 3)],
    ['an offset of 0', bytes(6, 1 << 2, 1, 2, 1, 0)],
    ['an offset before the start', bytes(6, 1 << 2, 1, 2, 1, 3)],
    ['a copy longer than the block', bytes(3, 1 << 2, 1, 2, 1, 2)],
    ['less than it claims', bytes(4, 2 << 2, 1, 2, 3)],
    ['a tag without its offset', bytes(6, 1 << 2, 1, 2, 2, 1)],
  ])('%s', (_what, block) => {
    expect(decodeSnappy(block)).toBeUndefined();
  });

  test('any bytes: an answer, never more than asked for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (block) => {
        expect(decodeSnappy(block)?.length ?? 0).toBeLessThanOrEqual(block.length * 32);
      }),
      { numRuns: 2000 },
    );
  });
});
