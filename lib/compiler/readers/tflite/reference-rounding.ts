/**
 * Where the reference kernels' integers round otherwise than real numbers that are rounded once, half to even. They multiply by 31 bits and
 * shift, and either step rounds halves away from zero: tensorflow/lite/kernels/internal/common.h, reference/integer_ops/add.h.
 */
import type { Tensor } from '../../ir/tensor.js';
import { isEightBit, type QuantizedTensor, storedRange } from './quantization.js';

/**
 * What to add to a bias, by channel: 1 where the kernel's first rounding lifts half a unit of its sum over the half of a step, 0 where the
 * result is rounded once (the multiplier is 1/2 or more) or may be negative, which is lifted the other way.
 * @param scales of the sums
 */
export function biasForSecondRounding(scales: readonly number[], output: QuantizedTensor): readonly number[] {
  const { scales: outputScales, zeroPoints } = output.quantization;
  const [least] = storedRange(output);
  const isNeverNegative = isEightBit(output) && zeroPoints[0] === least;
  return scales.map((scale) => (isNeverNegative && scale / (outputScales[0] ?? 1) < 0.5 ? 1 : 0));
}

export interface ConstantAddend {
  readonly x: QuantizedTensor;
  readonly constant: QuantizedTensor;
  readonly stored: Tensor;
  readonly output: QuantizedTensor;
  /** Of the constant: 1 for a sum, -1 for a difference from x. */
  readonly sign: 1 | -1;
}

/** Far above the rounding of float32, far below a step. */
const PART_OF_A_STEP = 2 ** -12;

/**
 * The scale of a constant that is added to a quantized tensor. The steps of a picture that is scaled to [-1, 1] are one and a half of its
 * output's: half of all results are halves, which the kernel's multipliers decide. A constant that is larger or smaller by a part of a step
 * decides them the same way.
 */
export function scaleThatDecidesHalves({ x, constant, stored, output, sign }: ConstantAddend): number {
  const [scale = 1] = constant.quantization.scales;
  const numbers = stored.numbers();
  const [first] = numbers;
  const isOne = first !== undefined && numbers.every((number) => number === first);
  const fits = [x, constant, output].every((each) => {
    const { scales } = each.quantization;
    return isEightBit(each) && scales.length === 1 && scales[0] !== 0;
  });
  if (!isOne || !fits) return scale;
  const offset = first - (constant.quantization.zeroPoints[0] ?? 0);
  const [least, most] = storedRange(x);
  const range = Array.from({ length: most - least + 1 }, (_, index) => least + index);
  const expected = range.map((number) => addedByKernel(number, first, { x, constant, output, sign }));
  const part = (PART_OF_A_STEP * (output.quantization.scales[0] ?? 1)) / Math.abs(offset);
  // A constant of less than a part of a step decides nothing.
  const candidates = offset === 0 || part >= scale ? [scale] : [scale, scale + part, scale - part];
  const misses = candidates.map(
    (candidate) =>
      range.filter((number, index) => addedAsReal(number, sign * offset * candidate, { x, output }) !== expected[index])
        .length,
  );
  return candidates[misses.indexOf(Math.min(...misses))] ?? scale;
}

function addedAsReal(stored: number, constant: number, { x, output }: Pick<ConstantAddend, 'x' | 'output'>): number {
  const { scale, zeroPoint } = parametersOf(x);
  const to = parametersOf(output);
  const sum = Math.fround(Math.fround(scale * (stored - zeroPoint)) + Math.fround(constant));
  return cut(halfToEven(Math.fround(sum / to.scale)) + to.zeroPoint, output);
}

/** Bits in front of the point that the addends have to spare. */
const LEFT_SHIFT = 20;

function addedByKernel(stored: number, other: number, { x, constant, output, sign }: Omit<ConstantAddend, 'stored'>) {
  const [a, b, to] = [parametersOf(x), parametersOf(constant), parametersOf(output)];
  const twice = 2 * Math.max(a.scale, b.scale);
  const scaled = (number: number, { scale, zeroPoint }: typeof a) =>
    multiply((number - zeroPoint) * 2 ** LEFT_SHIFT, scale / twice);
  const sum = scaled(stored, a) + sign * scaled(other, b);
  return cut(multiply(sum, twice / (2 ** LEFT_SHIFT * to.scale)) + to.zeroPoint, output);
}

/** By a number below 1, as 31 bits and a shift to the right; integers of 32 bits. */
function multiply(integer: number, factor: number): number {
  let shift = Math.ceil(-Math.log2(factor)) - 1;
  let bits = Math.round(factor * 2 ** (31 + shift));
  if (bits === 2 ** 31) {
    bits /= 2;
    shift--;
  }
  const product = BigInt(integer) * BigInt(bits);
  const nudge = product >= 0n ? 2n ** 30n : 1n - 2n ** 30n;
  return halfAwayFromZero(Number((product + nudge) / 2n ** 31n) / 2 ** shift);
}

function halfAwayFromZero(number: number): number {
  return Math.sign(number) * Math.round(Math.abs(number));
}

function halfToEven(number: number): number {
  const below = Math.floor(number);
  const isUp = number - below > 0.5 || (number - below === 0.5 && below % 2 !== 0);
  return isUp ? below + 1 : below;
}

function cut(stored: number, tensor: QuantizedTensor): number {
  const [least, most] = storedRange(tensor);
  return Math.min(Math.max(stored, least), most);
}

function parametersOf({ quantization: { scales, zeroPoints } }: QuantizedTensor) {
  return { scale: scales[0] ?? 1, zeroPoint: zeroPoints[0] ?? 0 };
}
