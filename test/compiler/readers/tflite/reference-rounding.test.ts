import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import type { QuantizedTensor } from '../../../../lib/compiler/readers/tflite/quantization.js';
import { scaleThatDecidesHalves } from '../../../../lib/compiler/readers/tflite/reference-rounding.js';

const tensor = (scale: number, zeroPoint: number) =>
  ({
    type: 'INT8',
    quantization: { scales: [scale], zeroPoints: [zeroPoint], dimension: 0 },
  }) as unknown as QuantizedTensor;
const STEP = Math.fround(1 / 255);

describe('the scale of a constant that is added', () => {
  const scaleOf = (scales: { x?: number; constant?: number; output?: number } = {}, stored = -128) =>
    scaleThatDecidesHalves({
      x: tensor(scales.x ?? Math.fround(3 / 255), -43),
      constant: tensor(scales.constant ?? STEP, 127),
      stored: Tensor.fromNumbers('int8', [], [stored]),
      output: tensor(scales.output ?? Math.fround(2 / 255), -1),
      sign: 1,
    });

  it('is a little larger where the kernel rounds halves down, and no more than a part of a step', () => {
    expect(scaleOf()).toBeGreaterThan(STEP);
    expect(scaleOf() / STEP).toBeLessThan(1.001);
  });

  it.each([
    ['x', { x: 0 }, STEP],
    ['the constant', { constant: 0 }, 0],
    ['the sum', { output: 0 }, STEP],
  ])('stays as it is where the scale of %s is 0, as in damaged files', (_, scales, expected) => {
    expect(scaleOf(scales)).toBe(expected);
  });

  it.each([1e-38, 1e38])('is a number for scales as far apart as %d', (scale) => {
    for (const name of ['x', 'constant', 'output']) expect(scaleOf({ [name]: scale })).toBeGreaterThan(0);
  });

  it('stays as it is for a constant of 0', () => {
    expect(scaleOf({}, 127)).toBe(STEP);
  });
});
