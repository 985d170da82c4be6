import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromFloat16Bits, toFloat16Bits } from '../../lib/protocol/float16.js';

/** Every finite number of binary16 from 0, by its definition: 5 bits of exponent, 10 of fraction. */
const MAGNITUDES = Array.from({ length: 0x7c00 }, (_, bits) => {
  const [exponent, fraction] = [bits >> 10, bits & 0x3ff];
  return exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
});

describe('binary16', () => {
  it('reads every number as its definition says, and writes it back', () => {
    for (const [bits, value] of MAGNITUDES.entries()) {
      if (fromFloat16Bits(bits) !== value) throw new Error(`${bits} reads as ${fromFloat16Bits(bits)}, not ${value}`);
      if (toFloat16Bits(value) !== bits) throw new Error(`${value} writes as ${toFloat16Bits(value)}, not ${bits}`);
      if (toFloat16Bits(-value) !== (bits | 0x8000)) throw new Error(`${-value} loses its sign`);
    }
    expect(fromFloat16Bits(0x7c00)).toBe(Number.POSITIVE_INFINITY);
    expect(fromFloat16Bits(0xfc00)).toBe(Number.NEGATIVE_INFINITY);
    expect(fromFloat16Bits(0x7e00)).toBeNaN();
    expect(Object.is(fromFloat16Bits(0x8000), -0)).toBe(true);
    expect(toFloat16Bits(Number.NaN) & 0x7fff).toBeGreaterThan(0x7c00);
  });

  it('rounds to the nearest number, ties to the even one', () => {
    const magnitude = fc.oneof(
      fc.double({ min: 0, max: 65519, noNaN: true }),
      fc.double({ min: 0, max: 2 ** -13, noNaN: true }),
      // Exactly between two neighbours.
      fc.nat({ max: MAGNITUDES.length - 2 }).map((bits) => ((MAGNITUDES[bits] ?? 0) + (MAGNITUDES[bits + 1] ?? 0)) / 2),
    );
    fc.assert(
      fc.property(magnitude, (value) => {
        const above = MAGNITUDES.findIndex((number) => number >= value);
        const high = above < 0 ? MAGNITUDES.length - 1 : above;
        const low = Math.max(0, high - 1);
        const [toLow, toHigh] = [value - (MAGNITUDES[low] ?? 0), (MAGNITUDES[high] ?? 0) - value];
        const even = low % 2 === 0 ? low : high;
        const nearest = toLow === toHigh ? even : Math.abs(toLow) < Math.abs(toHigh) ? low : high;
        expect(toFloat16Bits(value)).toBe(nearest);
      }),
      { numRuns: 3000 },
    );
    expect(toFloat16Bits(65519.99)).toBe(0x7bff);
    expect(toFloat16Bits(65520)).toBe(0x7c00);
  });
});
