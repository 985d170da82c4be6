/** Conversions between element types. */
import { type ElementType, elementTypeOf } from '../../ir/element-type.js';
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from '../../ir/float16.js';
import { Tensor, type TypedElements } from '../../ir/tensor.js';
import { admit, type EvaluationContext, type Evaluator, NotEvaluated, required } from './evaluator.js';
import { withDims } from './units.js';

/** Largest and smallest value of the integer types. */
const RANGES: Readonly<Partial<Record<ElementType, readonly [bigint, bigint]>>> = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

export const cast: Evaluator = (node, inputs, context) => {
  const to = elementTypeOf(node.int('to', 0));
  if (to === undefined) throw new NotEvaluated('it does not say what to convert to');
  return [convert(required(inputs, 0), to, context)];
};

export const castLike: Evaluator = (_, inputs, context) => {
  return [convert(required(inputs, 0), required(inputs, 1).elementType, context)];
};

/** Floats that do not fit an integer type come out differently on different CPUs: those are declined. */
function convert(tensor: Tensor, to: ElementType, context: EvaluationContext): Tensor {
  if (to === tensor.elementType) return withDims(tensor, tensor.dims);
  admit(to, tensor.dims, context);
  const exact = exactValues(tensor);
  return Tensor.fromTyped(to, tensor.dims, typedOf(to, exact));
}

/** Each element without loss: floats and small integers as numbers, 64-bit integers as bigints. */
function exactValues(tensor: Tensor): (number | bigint)[] {
  switch (tensor.elementType) {
    case 'float16':
      return Array.from(tensor.typed() as Uint16Array, float16ToNumber);
    case 'bfloat16':
      return Array.from(tensor.typed() as Uint16Array, bfloat16ToNumber);
    case 'bool':
      return Array.from(tensor.bytes(), (byte) => (byte === 0 ? 0 : 1));
    case 'float32':
    case 'float64':
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
      return Array.from(tensor.typed() as Float64Array | BigInt64Array as ArrayLike<number | bigint>);
    default:
      throw new NotEvaluated(`${tensor.elementType} is not converted`);
  }
}

function typedOf(to: ElementType, values: readonly (number | bigint)[]): TypedElements {
  switch (to) {
    case 'float32':
      return Float32Array.from(values, toFloat32);
    case 'float64':
      return Float64Array.from(values, Number);
    case 'float16':
      return Uint16Array.from(values, (value) => numberToFloat16(Number(value)));
    case 'bfloat16':
      return Uint16Array.from(values, (value) => numberToBfloat16(toFloat32(value)));
    case 'bool':
      return Uint8Array.from(values, (value) => (value === 0 || value === 0n ? 0 : 1));
    case 'int8':
      return Int8Array.from(values, (value) => Number(BigInt.asIntN(8, toInteger(value, to))));
    case 'uint8':
      return Uint8Array.from(values, (value) => Number(BigInt.asUintN(8, toInteger(value, to))));
    case 'int16':
      return Int16Array.from(values, (value) => Number(BigInt.asIntN(16, toInteger(value, to))));
    case 'uint16':
      return Uint16Array.from(values, (value) => Number(BigInt.asUintN(16, toInteger(value, to))));
    case 'int32':
      return Int32Array.from(values, (value) => Number(BigInt.asIntN(32, toInteger(value, to))));
    case 'uint32':
      return Uint32Array.from(values, (value) => Number(BigInt.asUintN(32, toInteger(value, to))));
    case 'int64':
      return BigInt64Array.from(values, (value) => toInteger(value, to));
    case 'uint64':
      return BigUint64Array.from(values, (value) => toInteger(value, to));
    default:
      throw new NotEvaluated(`nothing is converted to ${to}`);
  }
}

/** Floats lose their fraction; integers stay, and the caller wraps them. */
function toInteger(value: number | bigint, to: ElementType): bigint {
  if (typeof value === 'bigint') return value;
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 32) return fitting(BigInt(value), to);
  if (!Number.isFinite(value)) throw new NotEvaluated(`${value} is no ${to}`);
  return fitting(BigInt(Math.trunc(value)), to);
}

/** @throws NotEvaluated for a value out of range that may have been a float */
function fitting(value: bigint, to: ElementType): bigint {
  const [low, high] = RANGES[to] ?? [0n, 0n];
  if (value < low || value > high) throw new NotEvaluated(`${value} is no ${to}`);
  return value;
}

/** Rounded once: by way of a float64, a 64-bit integer would be rounded twice. */
function toFloat32(value: number | bigint): number {
  if (typeof value === 'number') return Math.fround(value);
  const magnitude = value < 0n ? -value : value;
  if (magnitude <= 2n ** 53n) return Math.fround(Number(value));
  // Enough leading bits that the first rounding is exact, the last of them saying whether anything followed.
  const shift = BigInt(magnitude.toString(2).length - 40);
  const leading = (magnitude >> shift) | (magnitude & ((1n << shift) - 1n) ? 1n : 0n);
  const rounded = Math.fround(Number(leading)) * 2 ** Number(shift);
  return value < 0n ? -rounded : rounded;
}
