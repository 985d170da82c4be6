/** From a range of real numbers to scale and zero point, in the arithmetic of onnxruntime's Python quantizer: the same bits. */
import type { IntegerType, QuantizationParameters } from '../../../artifact/recipe.js';
import { ConfigurationError } from '../../../errors.js';
import { type IntegerRange, integerRange } from './integer-range.js';
import { roundHalfToEven } from './rounding.js';

/** The numbers that a tensor takes on, rounded to float32 before use. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** real = (integer - zeroPoint) · scale; `scale` is a float32. */
export interface ScaleAndZeroPoint {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface ActivationOptions {
  readonly dataType: Extract<IntegerType, 'uint8' | 'int8' | 'uint16' | 'int16'>;
  /** Zero point in the middle of the integers. Default false: the range is used whole. */
  readonly symmetric?: boolean;
  /** One bit less. Default false, as in Python, which reduces weights only. */
  readonly reduceRange?: boolean;
}

/** The smallest normal float32: a scale below it means that the range is empty. */
const SMALLEST_SCALE = 2 ** -126;

/**
 * Spreads a range, widened to include 0, over integers. The range is a difference of float32 numbers rounded to float32, its quotient
 * a double that is rounded once; the zero point comes from the double. An empty range has scale 1 and zero point 0.
 * @throws ConfigurationError QUANTIZATION_RANGE if the range is not one of finite numbers
 */
export function scaleAndZeroPoint(range: Range, integers: IntegerRange, symmetric: boolean): ScaleAndZeroPoint {
  let min = Math.min(Math.fround(range.min), 0);
  let max = Math.max(Math.fround(range.max), 0);
  if (!Number.isFinite(min) || !Number.isFinite(max) || range.min > range.max) {
    throw new ConfigurationError({
      code: 'QUANTIZATION_RANGE',
      message: `A tensor is to be quantized over the range from ${range.min} to ${range.max}.`,
      advice: 'Calibrate with data on which the model returns finite numbers, or leave the node in fp32.',
    });
  }
  if (symmetric) {
    max = Math.max(-min, max);
    min = -max;
  }
  const width = Math.fround(max - min);
  const { lowest, highest } = integers;
  // Where the width itself is beyond float32 the double serves.
  const scale = (Number.isFinite(width) ? width : max - min) / (highest - lowest);
  if (scale < SMALLEST_SCALE) return { scale: 1, zeroPoint: 0 };
  const zeroPoint = symmetric ? roundHalfToEven((lowest + highest) / 2) : roundHalfToEven(lowest - min / scale);
  return { scale: Math.fround(scale), zeroPoint };
}

/** Parameters of an activation, one scale and zero point for the whole tensor. @throws as `scaleAndZeroPoint` */
export function activationParameters(
  tensor: string,
  range: Range,
  { dataType, symmetric = false, reduceRange = false }: ActivationOptions,
): QuantizationParameters {
  const chosen = scaleAndZeroPoint(range, integerRange(dataType, { symmetric, reduceRange }), symmetric);
  return { tensor, dataType, scale: [chosen.scale], zeroPoint: [chosen.zeroPoint] };
}

/** The real numbers that the parameters' integers stand for: what is outside is clipped. Of one scale and zero point. */
export function representedRange(parameters: QuantizationParameters): Range {
  const { lowest, highest } = integerRange(parameters.dataType);
  const [scale = 1] = parameters.scale;
  const [zeroPoint = 0] = parameters.zeroPoint;
  return { min: Math.fround((lowest - zeroPoint) * scale), max: Math.fround((highest - zeroPoint) * scale) };
}
