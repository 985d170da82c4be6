import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guardRow, LARGEST_PAIR, largestPair } from '../../../../lib/compiler/quantize/accuracy/saturating-pairs.js';

/** What two neighbouring products give where they are added in 16 bits. */
function saturates(integers: Int8Array): boolean {
  for (let k = 0; k + 1 < integers.length; k += 2) {
    for (const a of [0, 255]) {
      for (const b of [0, 255]) {
        const sum = a * (integers[k] ?? 0) + b * (integers[k + 1] ?? 0);
        if (sum > 32_767 || sum < -32_768) return true;
      }
    }
  }
  return false;
}

const row = fc.array(fc.integer({ min: -128, max: 127 }), { minLength: 1, maxLength: 24 });

it('the limit is where products of all uint8 stay in 16 bits: no pair below it saturates, every pair above does', () => {
  fc.assert(
    fc.property(row, (numbers) => {
      const integers = Int8Array.from(numbers);
      expect(saturates(integers)).toBe(largestPair(integers) > LARGEST_PAIR);
    }),
    { seed: 1, numRuns: 3000 },
  );
});

describe('guardRow', () => {
  const real = fc.array(
    fc.integer({ min: -1000, max: 1000 }).map((number) => number / 1000),
    { minLength: 1, maxLength: 24 },
  );
  const quantized = real.map((numbers) => {
    const weights = Float32Array.from(numbers);
    const scale = Math.fround(Math.max(...weights.map(Math.abs)) / 127) || 1;
    return { weights, scale, integers: Int8Array.from(weights, (weight) => Math.round(weight / scale)) };
  });
  const errorOf = (weights: Float32Array, integers: Int8Array, scale: number) =>
    weights.reduce((sum, weight, k) => sum + (weight - (integers[k] ?? 0) * scale) ** 2, 0);

  it('leaves a row alone if and only if it does not saturate, and never returns one that does', () => {
    let changed = 0;
    fc.assert(
      fc.property(quantized, ({ weights, scale, integers }) => {
        const guarded = guardRow(weights, integers, scale);
        expect(guarded === undefined).toBe(!saturates(integers));
        if (guarded === undefined) return;
        changed++;
        expect(saturates(guarded.integers)).toBe(false);
        expect(guarded.scale).toBe(Math.fround(guarded.scale));
      }),
      { seed: 1, numRuns: 1000 },
    );
    expect(changed).toBeGreaterThan(300);
  });

  it('loses less than weights with a bit less for all, which cannot saturate either', () => {
    let [lost, lostWithLess] = [0, 0];
    fc.assert(
      fc.property(quantized, ({ weights, scale, integers }) => {
        const guarded = guardRow(weights, integers, scale);
        if (guarded === undefined) return;
        const coarse = (scale * 127) / 64;
        const reduced = Int8Array.from(weights, (weight) => Math.round(weight / coarse));
        lost += errorOf(weights, guarded.integers, guarded.scale) / scale ** 2;
        lostWithLess += errorOf(weights, reduced, coarse) / scale ** 2;
      }),
      { seed: 2, numRuns: 1000 },
    );
    expect(lost).toBeLessThan(lostWithLess * 0.7);
  });

  it('changes no other pair for the sake of one that is a little too large', () => {
    const weights = Float32Array.from({ length: 64 }, (_, k) => (k < 2 ? 65 : k === 2 ? 127 : k === 3 ? 0 : 25) / 127);
    const integers = Int8Array.from(weights, (weight) => Math.round(weight * 127));
    const guarded = guardRow(weights, integers, Math.fround(1 / 127));
    expect([...(guarded?.integers.subarray(0, 2) ?? [])]).toEqual([64, 64]);
    expect([...(guarded?.integers.subarray(4) ?? [])]).toEqual([...integers.subarray(4)]);
    expect((guarded?.scale ?? 0) * 127).toBeLessThan(1.01);
  });
});
