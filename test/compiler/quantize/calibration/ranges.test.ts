import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Calibration } from '../../../../lib/compiler/quantize/calibration/calibration.js';
import { distributionOf } from '../../../../lib/compiler/quantize/calibration/distribution.js';
import { quantizationError } from '../../../../lib/compiler/quantize/calibration/mse-range.js';
import type { RangeMethod, ValueRange } from '../../../../lib/compiler/quantize/calibration/range.js';
import { ValueObserver, type ValueStatistics } from '../../../../lib/compiler/runtime/value-statistics.js';
import { randomFloats } from '../../../support/random-numbers.js';

function statisticsOf(numbers: ArrayLike<number>): ValueStatistics {
  const data = Float32Array.from(numbers);
  const observer = new ValueObserver();
  observer.add(data);
  observer.extend(Math.min(...data), Math.max(...data));
  return observer.statistics();
}

function rangeOf(numbers: ArrayLike<number>, method: RangeMethod, dataType: 'uint8' | 'uint16' | 'uint4' = 'uint8') {
  const range = new Calibration([['value', statisticsOf(numbers)]], [], 1, 0).range('value', method, dataType);
  if (range === undefined) throw new Error('no range');
  return range;
}

/** Normal by the sum of twelve uniform numbers. */
function bellShaped(count: number): Float32Array {
  const uniform = randomFloats(count * 12, 1, -0.5, 0.5);
  return Float32Array.from({ length: count }, (_, index) =>
    uniform.subarray(index * 12, index * 12 + 12).reduce((sum, x) => sum + x, 0),
  );
}

/** Mean squared error of the numbers themselves, quantized as onnxruntime does. */
function realError(numbers: Float32Array, range: ValueRange, levels: number): number {
  const low = Math.min(range.min, 0);
  const high = Math.max(range.max, 0);
  const scale = (high - low) / (levels - 1);
  const zeroPoint = Math.round(-low / scale);
  return numbers.reduce((sum, x) => {
    const integer = Math.min(levels - 1, Math.max(0, Math.round(x / scale) + zeroPoint));
    return sum + (x - (integer - zeroPoint) * scale) ** 2;
  }, 0);
}

const methods: readonly RangeMethod[] = [
  { kind: 'min-max' },
  { kind: 'percentile', percentile: 99.9 },
  { kind: 'entropy' },
  { kind: 'mse' },
];

describe('ranges', () => {
  it.each(methods)('of $kind stay inside of what was seen', (method) => {
    const numbers = fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(numbers, (list) => {
        const range = rangeOf(list, method);
        expect(range.min).toBeGreaterThanOrEqual(Math.min(...Float32Array.from(list)));
        expect(range.max).toBeLessThanOrEqual(Math.max(...Float32Array.from(list)));
        expect(range.min).toBeLessThanOrEqual(range.max);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('of percentiles leave out what they say', () => {
    const numbers = Float32Array.from({ length: 10_001 }, (_, index) => index - 5000);
    const range = rangeOf(numbers, { kind: 'percentile', percentile: 99 });
    expect(range.min).toBeCloseTo(-4950, -1);
    expect(range.max).toBeCloseTo(4950, -1);
    expect(rangeOf(numbers, { kind: 'percentile', percentile: 100 })).toEqual({ min: -5000, max: 5000 });
  });

  it('of percentiles count exact zeros as elements', () => {
    const numbers = [...new Array<number>(900).fill(0), ...Array.from({ length: 100 }, (_, index) => index + 1)];
    expect(rangeOf(numbers, { kind: 'percentile', percentile: 75 })).toEqual({ min: 0, max: 0 });
    const range = rangeOf(numbers, { kind: 'percentile', percentile: 90 });
    expect(range.max).toBeGreaterThan(45);
    expect(range.max).toBeLessThan(55);
  });

  it('of least squares beat the whole range where there are outliers, by the numbers themselves', () => {
    const numbers = Float32Array.from([...bellShaped(20_000), 40, -30]);
    const whole = { min: -30, max: 40 };
    for (const [dataType, levels] of [
      ['uint8', 256],
      ['uint4', 16],
    ] as const) {
      const range = rangeOf(numbers, { kind: 'mse' }, dataType);
      const error = realError(numbers, range, levels);
      expect(error).toBeLessThan(realError(numbers, whole, levels) * (levels === 16 ? 0.5 : 1));
      // Nothing near it is better by more than the bins let it see.
      for (const factor of [0.8, 0.9, 1.1, 1.25]) {
        const other = { min: Math.max(-30, range.min * factor), max: Math.min(40, range.max * factor) };
        expect(error).toBeLessThan(realError(numbers, other, levels) * 1.02);
      }
    }
  });

  it('estimate the squared error from bins as from the numbers', () => {
    const numbers = bellShaped(20_000);
    const distribution = distributionOf(statisticsOf(numbers));
    for (const [range, levels] of [
      [{ min: -2, max: 3 }, 256],
      [{ min: -6, max: 6 }, 65_536],
      [{ min: -3, max: 3 }, 16],
    ] as const) {
      const real = realError(numbers, range, levels);
      expect(quantizationError(distribution, range, levels) / real).toBeGreaterThan(0.95);
      expect(quantizationError(distribution, range, levels) / real).toBeLessThan(1.05);
    }
  });

  it('of entropy cut a long tail and keep an even distribution whole', () => {
    const even = randomFloats(100_000, 1, -1, 1);
    const kept = rangeOf(even, { kind: 'entropy' });
    expect(kept.max - kept.min).toBeGreaterThan(1.9);
    const tail = Float32Array.from([...bellShaped(50_000), 100]);
    const cut = rangeOf(tail, { kind: 'entropy' });
    expect(cut.max).toBeLessThan(60);
    expect(cut.max).toBeGreaterThan(3);
    // 16 bits lose nothing worth a cut.
    expect(rangeOf(tail, { kind: 'entropy' }, 'uint16').max).toBe(100);
  });

  it('of one sign keep that sign', () => {
    const numbers = bellShaped(5000).map((x) => Math.max(0, x));
    for (const method of methods) expect(rangeOf(numbers, method).min).toBe(0);
  });
});
