import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  copyPart,
  parseShapeAndSlice,
  partDims,
  partKey,
} from '../../../../lib/compiler/formats/tensorflow/tensor-slice.js';

describe('shape_and_slice', () => {
  test('of a whole tensor, of rows, of everything', () => {
    expect(parseShapeAndSlice('')).toBe('whole');
    expect(parseShapeAndSlice('8 5 0,3:-')).toEqual({
      dims: [8, 5],
      extents: [
        { start: 0, length: 3 },
        { start: 0, length: -1 },
      ],
    });
  });

  test.each(['8 5 0,3', '8 5 0,3:-:-', 'x 5 -:-', '8 5 a,3:-', '8 5 0:-', '8 -1 -:-', 'nonsense'])('not %s', (text) => {
    expect(parseShapeAndSlice(text)).toBeUndefined();
  });

  test('sizes of what lies inside', () => {
    const part = (start: number, length: number) => ({
      dims: [4, 3],
      extents: [
        { start, length },
        { start: 0, length: -1 },
      ],
    });
    expect(partDims(part(1, 2))).toEqual([2, 3]);
    expect(partDims(part(0, -1))).toEqual([4, 3]);
    expect(partDims(part(3, 2))).toBeUndefined();
    expect(partDims(part(1, -1))).toBeUndefined();
    expect(partDims(part(-1, 2))).toBeUndefined();
    expect(partDims({ dims: [4], extents: [] })).toBeUndefined();
  });
});

test('parts are taken from where plain indexing says, and put back there', () => {
  const extent = fc
    .integer({ min: 1, max: 4 })
    .chain((size) =>
      fc
        .nat(size - 1)
        .chain((start) => fc.integer({ min: 1, max: size - start }).map((length) => ({ size, start, length }))),
    );
  fc.assert(
    fc.property(fc.array(extent, { maxLength: 4 }), fc.constantFrom(1, 2, 4), (axes, elementBytes) => {
      const dims = axes.map(({ size }) => size);
      const count = dims.reduce((product, size) => product * size, 1);
      const whole = Uint8Array.from({ length: count * elementBytes }, (_, index) => (index * 7 + 1) & 0xff);
      const part = { dims, extents: axes.map(({ start, length }) => ({ start, length })) };
      const size = axes.reduce<number>((product, { length }) => product * length, elementBytes);
      const taken = new Uint8Array(size);
      copyPart('take', whole, taken, part, elementBytes);
      const expected: number[] = [];
      const walk = (axis: number, at: number) => {
        const each = axes[axis];
        if (each === undefined) expected.push(...whole.subarray(at * elementBytes, (at + 1) * elementBytes));
        else for (let index = 0; index < each.length; index++) walk(axis + 1, at * each.size + each.start + index);
      };
      walk(0, 0);
      expect([...taken]).toEqual(expected);
      const back = whole.slice();
      copyPart('put', back, new Uint8Array(size).fill(0), part, elementBytes);
      copyPart('put', back, taken, part, elementBytes);
      expect(back).toEqual(whole);
    }),
  );
});

test('keys of parts are in the order of their numbers, and of one form for every length of a number', () => {
  const number = fc.oneof(fc.nat(200), fc.nat(2 ** 31), fc.maxSafeNat());
  fc.assert(
    fc.property(number, number, (a, b) => {
      const key = (start: number) => Buffer.from(partKey('w', [{ start, length: 5 }]));
      expect(Math.sign(Buffer.compare(key(a), key(b)))).toBe(Math.sign(a - b));
    }),
  );
  const key = partKey('w', [
    { start: 3, length: 3 },
    { start: 0, length: -1 },
  ]);
  expect([...key]).toEqual([0, 0x77, 0, 1, 1, 2, 0x83, 0x83, 0x80, 0x7f]);
});
