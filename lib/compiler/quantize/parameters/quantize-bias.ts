/** Biases as int32 in units of input scale · weight scale, so that integer kernels add them to their sums as they are. */
import type { QuantizationParameters } from '../../../artifact/recipe.js';
import { Tensor } from '../../ir/tensor.js';
import { roundHalfToEven } from './rounding.js';

export interface QuantizedBias {
  /** int32, the bias' dims. */
  readonly integers: Tensor;
  /** float32; one, or one per channel. The zero point is 0. */
  readonly scale: readonly number[];
}

const LOWEST = -(2 ** 31);
const HIGHEST = 2 ** 31 - 1;
/** Room for the rounding of scales to float32; the factor is onnxruntime's. */
const MARGIN = 1.0001;
const SMALLEST_SCALE = 2 ** -126;

/** @param bias float32, one number per channel @param inputScale of the activation @param weightScale one, or one per channel */
export function quantizeBias(bias: Tensor, inputScale: number, weightScale: readonly number[]): QuantizedBias {
  const scale = weightScale.map((each) => Math.fround(inputScale * each));
  const numbers = bias.typed() as Float32Array;
  const integers = Int32Array.from(numbers, (number, channel) => {
    const rounded = roundHalfToEven(number / ((scale.length === 1 ? scale[0] : scale[channel]) ?? 1));
    return Math.max(LOWEST, Math.min(rounded, HIGHEST));
  });
  return { integers: Tensor.fromTyped('int32', bias.dims, integers), scale };
}

/**
 * The weight's parameters, with scales raised where the bias would overflow int32 or its scale would vanish: a coarser weight is a
 * small error, a clipped bias a large one. The same object where nothing has to be raised.
 */
export function roomForBias(weight: QuantizationParameters, bias: Tensor, inputScale: number): QuantizationParameters {
  const numbers = bias.typed() as Float32Array;
  const perChannel = weight.scale.length === numbers.length && weight.axis !== undefined;
  const largest = numbers.reduce((max, number) => Math.max(max, Math.abs(number)), 0);
  let raised = false;
  const scale = weight.scale.map((each, channel) => {
    // Per channel onnxruntime computes this product in float32.
    const needed = perChannel
      ? Math.fround(Math.fround(MARGIN) * Math.fround(2 * Math.abs(numbers[channel] ?? 0)))
      : MARGIN * (2 * largest);
    const smallest = Math.max(needed / (HIGHEST - LOWEST - 1), SMALLEST_SCALE);
    const candidate = inputScale * each;
    if (candidate >= smallest) return each;
    raised = true;
    return Math.fround(each * (smallest / candidate));
  });
  return raised ? { ...weight, scale } : weight;
}
