/** Outputs as plain numbers, whatever their element type. */
import { float16ToNumber } from '../ir/float16.js';
import type { RuntimeTensor } from '../runtime/session.js';

/** float16 decoded; 64-bit integers rounded to what a double holds. Texts have no numbers: an empty array. */
export function numbersOf({ dataType, data }: RuntimeTensor): ArrayLike<number> {
  if (dataType === 'string') return [];
  if (dataType === 'float16') return Float64Array.from(data as Uint16Array, float16ToNumber);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return Float64Array.from({ length: data.length }, (_, index) => Number(data[index]));
  }
  return data as Float32Array;
}

export function isFloat({ dataType }: Pick<RuntimeTensor, 'dataType'>): boolean {
  return dataType === 'float32' || dataType === 'float64' || dataType === 'float16';
}

export function sameShape(one: RuntimeTensor, other: RuntimeTensor | undefined): other is RuntimeTensor {
  return (
    other !== undefined &&
    one.dims.length === other.dims.length &&
    one.dims.every((dim, axis) => dim === other.dims[axis])
  );
}
