import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { channelRanges } from '../../../../lib/compiler/quantize/parameters/channels.js';
import { integerRange } from '../../../../lib/compiler/quantize/parameters/integer-range.js';
import { quantizeBias, roomForBias } from '../../../../lib/compiler/quantize/parameters/quantize-bias.js';
import { dequantizeTensor, quantizeWeight } from '../../../../lib/compiler/quantize/parameters/quantize-weight.js';
import { roundHalfToEven } from '../../../../lib/compiler/quantize/parameters/rounding.js';
import {
  activationParameters,
  representedRange,
} from '../../../../lib/compiler/quantize/parameters/scale-and-zero-point.js';
import { randomFloats } from '../../../support/random-numbers.js';

const floats = (numbers: readonly number[], dims: readonly number[] = [numbers.length]) =>
  Tensor.fromNumbers('float32', dims, numbers);

describe('rounding', () => {
  it('takes the even one of two neighbours that are equally near', () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5].map(roundHalfToEven)).toEqual([-2, -2, 0, 0, 2, 2, 4]);
  });

  it('leaves integers of every size, infinity and NaN as they are', () => {
    const large = [2 ** 51, 2 ** 51 + 1, -(2 ** 52) - 1, 2 ** 53, 1e300];
    expect([...large, Number.POSITIVE_INFINITY].map(roundHalfToEven)).toEqual([...large, Number.POSITIVE_INFINITY]);
    expect(roundHalfToEven(Number.NaN)).toBeNaN();
    expect(roundHalfToEven(2 ** 51 + 0.5)).toBe(2 ** 51);
    expect(roundHalfToEven(2 ** 51 + 1.5)).toBe(2 ** 51 + 2);
  });

  it('is never further away than a half', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e15, max: 1e15, noNaN: true }), (value) => {
        const rounded = roundHalfToEven(value);
        return Number.isInteger(rounded) && Math.abs(rounded - value) <= 0.5;
      }),
    );
  });
});

describe('integers', () => {
  it('are all of the type, or without the lowest, or half of them', () => {
    expect(integerRange('int8')).toEqual({ lowest: -128, highest: 127 });
    expect(integerRange('int8', { symmetric: true })).toEqual({ lowest: -127, highest: 127 });
    expect(integerRange('int8', { symmetric: true, reduceRange: true })).toEqual({ lowest: -64, highest: 64 });
    expect(integerRange('uint8', { symmetric: true })).toEqual({ lowest: 0, highest: 255 });
    expect(integerRange('uint8', { reduceRange: true })).toEqual({ lowest: 0, highest: 127 });
    expect(integerRange('int16', { symmetric: true })).toEqual({ lowest: -32_767, highest: 32_767 });
    expect(integerRange('int4', { symmetric: true })).toEqual({ lowest: -8, highest: 7 });
  });
});

describe('parameters of activations', () => {
  it('represent 0 exactly and the range to within a step', () => {
    const ranges = fc.tuple(
      fc.float({ noNaN: true, min: -1000, max: 1000 }),
      fc.float({ noNaN: true, min: 0.5, max: 1000 }),
    );
    fc.assert(
      fc.property(ranges, fc.constantFrom('uint8', 'int8', 'uint16', 'int16'), ([min, width], dataType) => {
        const max = min + width;
        const parameters = activationParameters('x', { min, max }, { dataType });
        const represented = representedRange(parameters);
        const [scale = 0] = parameters.scale;
        const [zeroPoint = 0] = parameters.zeroPoint;
        const { lowest, highest } = integerRange(dataType);
        expect(zeroPoint).toBeGreaterThanOrEqual(lowest);
        expect(zeroPoint).toBeLessThanOrEqual(highest);
        expect(represented.min).toBeLessThanOrEqual(Math.min(0, min) + scale);
        expect(represented.max).toBeGreaterThanOrEqual(Math.max(0, max) - scale);
      }),
    );
  });

  it('of an empty range are 1 and 0', () => {
    expect(activationParameters('x', { min: 0, max: 0 }, { dataType: 'uint8' })).toEqual({
      tensor: 'x',
      dataType: 'uint8',
      scale: [1],
      zeroPoint: [0],
    });
  });

  it('stay finite where the width of the range does not fit float32', () => {
    const { scale, zeroPoint } = activationParameters('x', { min: -3e38, max: 3e38 }, { dataType: 'uint8' });
    expect(scale[0]).toBe(Math.fround((2 * Math.fround(3e38)) / 255));
    expect(zeroPoint).toEqual([128]);
  });

  it('fails for ranges that are none', () => {
    for (const [min, max] of [
      [1, -1],
      [Number.NaN, 1],
      [0, Number.POSITIVE_INFINITY],
      [0, 1e39],
    ] as const) {
      expect(() => activationParameters('x', { min, max }, { dataType: 'uint8' })).toThrow(
        expect.objectContaining({ code: 'QUANTIZATION_RANGE' }),
      );
    }
  });
});

describe('weights', () => {
  it('come back to within half a step of their channel', () => {
    const tensor = floats(Array.from(randomFloats(60, 3)), [3, 4, 5]);
    for (const dataType of ['int8', 'uint8', 'int4', 'uint4'] as const) {
      for (const axis of [undefined, 0, 1, 2]) {
        const { integers, parameters } = quantizeWeight('w', tensor, {
          dataType,
          ...(axis === undefined ? {} : { axis }),
        });
        const restored = dequantizeTensor(integers, parameters).numbers();
        const step = Math.max(...parameters.scale);
        // An asymmetric zero point is rounded too.
        const limit = step * (dataType.startsWith('u') && axis === undefined ? 1.01 : 0.501);
        for (const [index, number] of tensor.numbers().entries()) {
          expect(Math.abs((restored[index] ?? 0) - number)).toBeLessThanOrEqual(limit);
        }
      }
    }
  });

  it('have one zero point in all channels, those of zeros included', () => {
    const tensor = floats([0, 0, 1, -2], [2, 2]);
    expect(quantizeWeight('w', tensor, { dataType: 'uint8', axis: 0 }).parameters.zeroPoint).toEqual([128, 128]);
    expect(quantizeWeight('w', tensor, { dataType: 'int8', axis: 0 }).parameters.zeroPoint).toEqual([0, 0]);
    const { integers, parameters } = quantizeWeight('w', tensor, { dataType: 'uint8', axis: 0, reduceRange: true });
    expect(parameters.zeroPoint).toEqual([64, 64]);
    expect(dequantizeTensor(integers, parameters).numbers().slice(0, 2)).toEqual([0, 0]);
  });

  it('may have no elements', () => {
    const { integers, parameters } = quantizeWeight('w', floats([], [0, 3]), { dataType: 'int8' });
    expect(integers.dims).toEqual([0, 3]);
    expect(parameters).toMatchObject({ scale: [1], zeroPoint: [0] });
    expect(quantizeWeight('w', floats([], [0, 3]), { dataType: 'int8', axis: 1 }).parameters.scale).toEqual([1, 1, 1]);
    expect(quantizeWeight('w', floats([], [0, 3]), { dataType: 'int8', axis: 0 }).parameters.scale).toEqual([]);
  });

  it('fails if they are not finite float32', () => {
    for (const tensor of [floats([1, Number.NaN]), floats([Number.POSITIVE_INFINITY]), Tensor.int64([1])]) {
      expect(() => quantizeWeight('w', tensor, { dataType: 'int8' })).toThrow(
        expect.objectContaining({ code: 'QUANTIZATION_WEIGHT' }),
      );
    }
  });

  it('fall into channels along any axis', () => {
    const tensor = floats([1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6], [2, 3, 2]);
    expect(channelRanges(tensor, 1)).toEqual({ min: Float32Array.of(-2, -4, -6), max: Float32Array.of(2, 4, 6) });
    expect(channelRanges(tensor, 0)).toEqual({ min: Float32Array.of(1, -6), max: Float32Array.of(6, -1) });
    expect(channelRanges(tensor, undefined)).toEqual({ min: Float32Array.of(-6), max: Float32Array.of(6) });
    expect(() => channelRanges(tensor, 3)).toThrow(RangeError);
  });
});

describe('biases', () => {
  const weight = { tensor: 'w', dataType: 'int8' as const, scale: [1e-6, 1e-2], zeroPoint: [0, 0], axis: 0 };

  it('fit int32 once the weight has made room, and only the channels that need it', () => {
    const bias = floats([4000, 4000]);
    const raised = roomForBias(weight, bias, 1e-3);
    expect(raised.scale[0]).toBeGreaterThan(1e-6);
    expect(raised.scale[1]).toBe(1e-2);
    const { integers, scale } = quantizeBias(bias, 1e-3, raised.scale);
    for (const [channel, integer] of integers.numbers().entries()) {
      expect(Math.abs(integer * (scale[channel] ?? 0) - 4000)).toBeLessThan(0.01);
    }
  });

  it('leave the weight alone where they fit', () => {
    expect(roomForBias(weight, floats([1e-3, 1]), 1)).toBe(weight);
  });

  it('never get a scale of 0', () => {
    const tiny = { ...weight, scale: [1e-30, 1e-30] };
    const raised = roomForBias(tiny, floats([0, 0]), 1e-30);
    expect(Math.min(...quantizeBias(floats([0, 0]), 1e-30, raised.scale).scale)).toBeGreaterThan(0);
  });
});
