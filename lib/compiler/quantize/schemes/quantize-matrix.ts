/** The right-hand side of a product as 8-bit integers, laid out as MatMulInteger and onnxruntime's fusions take it. */
import type { DynamicRecipe } from '../../../artifact/recipe.js';
import { Tensor } from '../../ir/tensor.js';
import { quantizeWeight } from '../parameters/quantize-weight.js';
import type { QuantizedWeight } from '../plan.js';
import type { ConstantWeight } from './constant-weight.js';

export interface QuantizeMatrixOptions extends Pick<DynamicRecipe, 'weights' | 'perChannel' | 'reduceRange'> {
  /** Whether the weight is [N, K]; a matrix only. */
  readonly transposed: boolean;
  /** Integers that were chosen by data. */
  readonly given: QuantizedWeight | undefined;
}

export interface QuantizedMatrix {
  /** int8 or uint8 [..., K, N], or [K]. */
  readonly integers: Tensor;
  /** float32: a scalar, [N] for a matrix, [..., 1, N] for a stack of matrices. */
  readonly scale: Tensor;
  /** Of the integers' type, a scalar or [N]; undefined where it is 0. */
  readonly zeroPoint: Tensor | undefined;
}

/** A string says why integers that were given do not fit. */
export function quantizeMatrix(weight: ConstantWeight, options: QuantizeMatrixOptions): QuantizedMatrix | string {
  const { tensor, value } = weight;
  const { transposed, weights: dataType, reduceRange, given } = options;
  const rank = tensor.dims.length;
  const perChannel = options.perChannel && rank >= 2;
  const axis = perChannel && rank === 2 ? { axis: transposed ? 0 : 1 } : {};
  if (given !== undefined) {
    const { parameters } = given;
    const fits = parameters.dataType === dataType && (parameters.axis === undefined || parameters.axis === axis.axis);
    if (!fits) return `the integers chosen for '${value.name}' are not what the recipe asks for`;
    return withParameters(given, transposed);
  }
  if (perChannel && rank > 2) return quantizeStack(value.name, tensor, options);
  return withParameters(quantizeWeight(value.name, tensor, { dataType, reduceRange, ...axis }), transposed);
}

function withParameters({ integers, parameters }: QuantizedWeight, transposed: boolean): QuantizedMatrix {
  const { scale, zeroPoint, axis } = parameters;
  const dims = axis === undefined ? [] : [scale.length];
  return {
    integers: transposed ? transpose(integers) : integers,
    scale: Tensor.fromNumbers('float32', dims, scale),
    zeroPoint: zeroPointTensor(integers, zeroPoint),
  };
}

/**
 * A scale per column of every matrix in the stack. One per column of all, [N], would be right by ONNX, but with a bias behind
 * onnxruntime's fused kernel returns garbage for it.
 */
function quantizeStack(name: string, tensor: Tensor, options: QuantizeMatrixOptions): QuantizedMatrix {
  const { weights: dataType, reduceRange } = options;
  const [rows = 1, columns = 1] = tensor.dims.slice(-2);
  const numbers = tensor.typed() as Float32Array;
  const integers = new Uint8Array(numbers.length);
  const scale = new Float32Array(numbers.length / rows);
  let zeroPoint: readonly number[] = [0];
  for (let start = 0, row = 0; start < numbers.length; start += rows * columns, row += columns) {
    const matrix = Tensor.fromTyped('float32', [rows, columns], numbers.subarray(start, start + rows * columns));
    const quantized = quantizeWeight(name, matrix, { dataType, reduceRange, axis: 1, symmetric: true });
    integers.set(quantized.integers.bytes(), start);
    scale.set(quantized.parameters.scale, row);
    // Symmetric: the same in every column.
    zeroPoint = quantized.parameters.zeroPoint.slice(0, 1);
  }
  const stored = new Tensor(dataType, tensor.dims, { kind: 'bytes', bytes: integers });
  const dims = [...tensor.dims.slice(0, -2), 1, columns];
  return {
    integers: stored,
    scale: Tensor.fromTyped('float32', dims, scale),
    zeroPoint: zeroPointTensor(stored, zeroPoint),
  };
}

function zeroPointTensor({ elementType }: Tensor, zeroPoint: readonly number[]): Tensor | undefined {
  const [first = 0] = zeroPoint;
  if (zeroPoint.some((number) => number !== first)) {
    return Tensor.fromNumbers(elementType, [zeroPoint.length], zeroPoint);
  }
  return first === 0 && elementType === 'int8' ? undefined : Tensor.scalar(elementType, first);
}

/** A matrix of bytes, its axes swapped. */
export function transpose(matrix: Tensor): Tensor {
  const [rows = 0, columns = 0] = matrix.dims;
  const from = matrix.bytes();
  const to = new Uint8Array(from.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) to[column * rows + row] = from[row * columns + column] ?? 0;
  }
  return new Tensor(matrix.elementType, [columns, rows], { kind: 'bytes', bytes: to });
}
