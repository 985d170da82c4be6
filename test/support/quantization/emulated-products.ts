/** What quantized operators compute, in plain JavaScript: the reference that onnxruntime is compared with. */
import type { Tensor } from '../../../lib/compiler/ir/tensor.js';

export interface QuantizedArray {
  readonly integers: Uint8Array;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** ONNX's DynamicQuantizeLinear, in float32. */
export function dynamicQuantize(x: Float32Array): QuantizedArray {
  const min = x.reduce((lowest, number) => Math.min(lowest, number), 0);
  const max = x.reduce((highest, number) => Math.max(highest, number), 0);
  const scale = max === min ? 1 : Math.fround(Math.fround(max - min) / 255);
  const zeroPoint = halfToEven(Math.max(0, Math.min(Math.fround(0 - Math.fround(min / scale)), 255)));
  const integers = Uint8Array.from(x, (number) => {
    return Math.max(0, Math.min(halfToEven(Math.fround(number / scale)) + zeroPoint, 255));
  });
  return { integers, scale, zeroPoint };
}

function halfToEven(number: number): number {
  const floor = Math.floor(number);
  const rest = number - floor;
  return floor + (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? 1 : 0);
}

export interface IntegerMatrix {
  /** [K, N]. */
  readonly integers: Tensor;
  /** One, or one per column. */
  readonly scale: ArrayLike<number>;
  readonly zeroPoint: ArrayLike<number>;
}

/** x [M, K] quantized at run time, times integers [K, N]: [M, N]. */
export function dynamicProduct(x: Float32Array, matrix: IntegerMatrix): Float32Array {
  const [inner = 0, columns = 0] = matrix.integers.dims;
  const right = matrix.integers.typed() as Int8Array;
  const left = dynamicQuantize(x);
  const rows = inner === 0 ? 0 : x.length / inner;
  const product = new Float32Array(rows * columns);
  const of = (numbers: ArrayLike<number>, column: number) => numbers[numbers.length === 1 ? 0 : column] ?? 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        const a = (left.integers[row * inner + k] ?? 0) - left.zeroPoint;
        sum += a * ((right[k * columns + column] ?? 0) - of(matrix.zeroPoint, column));
      }
      product[row * columns + column] = Math.fround(sum) * Math.fround(left.scale * of(matrix.scale, column));
    }
  }
  return product;
}

/** x [M, K] times w [K, N] in double precision. */
export function product(x: ArrayLike<number>, w: ArrayLike<number>, inner: number): Float64Array {
  const columns = inner === 0 ? 0 : w.length / inner;
  const rows = inner === 0 ? 0 : x.length / inner;
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < inner; k++) {
      const a = x[row * inner + k] ?? 0;
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column;
        result[at] = (result[at] ?? 0) + a * (w[k * columns + column] ?? 0);
      }
    }
  }
  return result;
}

/** max|Δ| / max|y|; Infinity where lengths differ. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [largest, error] = [0, 0];
  for (let index = 0; index < expected.length; index++) {
    const number = expected[index] ?? 0;
    largest = Math.max(largest, Math.abs(number));
    error = Math.max(error, Math.abs((actual[index] ?? Number.NaN) - number));
  }
  return error === 0 ? 0 : error / (largest || 1);
}
