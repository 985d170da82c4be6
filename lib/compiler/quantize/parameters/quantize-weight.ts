/** Constant float32 tensors as integers, per tensor or per channel, bit for bit as onnxruntime's Python quantizer makes them. */
import type { IntegerType, QuantizationParameters } from '../../../artifact/recipe.js';
import { GraphError } from '../../../errors.js';
import type { ElementType } from '../../ir/element-type.js';
import { Tensor } from '../../ir/tensor.js';
import type { QuantizedWeight } from '../plan.js';
import { channelRanges, channelsOf, forEachRun, isFiniteTensor } from './channels.js';
import { fullRange, integerRange, isSigned } from './integer-range.js';
import { roundHalfToEven } from './rounding.js';
import { scaleAndZeroPoint } from './scale-and-zero-point.js';

export interface WeightOptions {
  readonly dataType: IntegerType;
  /** One scale per index of this axis, from 0. Default: one for the tensor. */
  readonly axis?: number;
  /** One bit less. Default false. */
  readonly reduceRange?: boolean;
  /**
   * Zero point in the middle. Default: for signed types, and always per channel, because QLinearConv and QLinearMatMul want the same
   * zero point in every channel.
   */
  readonly symmetric?: boolean;
}

/** Scale and zero point of every channel. @throws GraphError QUANTIZATION_WEIGHT if the tensor is not one of finite float32 */
export function weightParameters(name: string, tensor: Tensor, options: WeightOptions): QuantizationParameters {
  const { dataType, axis, reduceRange = false } = options;
  const symmetric = options.symmetric ?? (axis !== undefined || isSigned(dataType));
  if (tensor.elementType !== 'float32' || !isFiniteTensor(tensor)) {
    throw new GraphError({
      code: 'QUANTIZATION_WEIGHT',
      message: `'${name}' is ${tensor.elementType === 'float32' ? 'not finite' : tensor.elementType} and cannot be quantized.`,
      advice: 'Leave the nodes that read it in fp32, or train the model without NaN and infinity.',
    });
  }
  const integers = integerRange(dataType, { symmetric, reduceRange });
  const { min, max } = channelRanges(tensor, axis);
  const chosen = Array.from(min, (lowest, channel) =>
    scaleAndZeroPoint({ min: lowest, max: max[channel] ?? 0 }, integers, symmetric),
  );
  // A channel of zeros in an unsigned tensor must not have a zero point of its own.
  const middle =
    symmetric && axis !== undefined ? roundHalfToEven((integers.lowest + integers.highest) / 2) : undefined;
  return {
    tensor: name,
    dataType,
    scale: chosen.map(({ scale }) => scale),
    zeroPoint: chosen.map(({ zeroPoint }) => middle ?? zeroPoint),
    ...(axis === undefined ? {} : { axis }),
  };
}

/**
 * Rounds to the parameters' integers, in float32, and clips to what the type holds.
 * @returns a tensor of the same dims; 4-bit integers take a byte each, int8 or uint8
 */
export function quantizeTensor(tensor: Tensor, parameters: QuantizationParameters): Tensor {
  const { dataType, axis } = parameters;
  const { lowest, highest } = fullRange(dataType);
  const numbers = tensor.typed() as Float32Array;
  const integers = integerArray(dataType, numbers.length);
  const { count, inner } = channelsOf(tensor.dims, axis);
  for (let index = 0; index < numbers.length; ) {
    for (let channel = 0; channel < count; channel++) {
      const scale = parameters.scale[channel] ?? 1;
      const zeroPoint = parameters.zeroPoint[channel] ?? 0;
      for (const end = index + inner; index < end; index++) {
        const rounded = roundHalfToEven(Math.fround((numbers[index] ?? 0) / scale)) + zeroPoint;
        integers[index] = Math.max(lowest, Math.min(rounded, highest));
      }
    }
  }
  return Tensor.fromTyped(storedType(dataType), tensor.dims, integers);
}

/** Parameters and integers of a weight. @throws as `weightParameters` */
export function quantizeWeight(name: string, tensor: Tensor, options: WeightOptions): QuantizedWeight {
  const parameters = weightParameters(name, tensor, options);
  return { integers: quantizeTensor(tensor, parameters), parameters };
}

/** (integer - zeroPoint) · scale in float32, as DequantizeLinear computes it. */
export function dequantizeTensor(integers: Tensor, parameters: QuantizationParameters): Tensor {
  const stored = integers.typed() as Int8Array;
  const numbers = new Float32Array(stored.length);
  forEachRun(channelsOf(integers.dims, parameters.axis), (channel, start, end) => {
    const scale = parameters.scale[channel] ?? 1;
    const zeroPoint = parameters.zeroPoint[channel] ?? 0;
    for (let index = start; index < end; index++) numbers[index] = ((stored[index] ?? 0) - zeroPoint) * scale;
  });
  return Tensor.fromTyped('float32', integers.dims, numbers);
}

function storedType(dataType: IntegerType): ElementType {
  if (dataType === 'int4') return 'int8';
  return dataType === 'uint4' ? 'uint8' : dataType;
}

function integerArray(dataType: IntegerType, length: number): Int8Array | Uint8Array | Int16Array | Uint16Array {
  if (dataType === 'int16') return new Int16Array(length);
  if (dataType === 'uint16') return new Uint16Array(length);
  return isSigned(dataType) ? new Int8Array(length) : new Uint8Array(length);
}
