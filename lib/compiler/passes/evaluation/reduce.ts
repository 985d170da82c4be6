/** Reductions of integers, which come out the same in whatever order they are computed; those of floats do not. */
import { Tensor } from '../../ir/tensor.js';
import { admit, type Evaluator, frontAxisSince11, NotEvaluated, required } from './evaluator.js';
import { listOf } from './integers.js';
import { stridedIndices, stridesOf } from './units.js';

/** onnxruntime reduces some integers by way of float64, which is exact up to here. */
const EXACT = 2n ** 53n;

function exact(value: bigint): bigint {
  if (value > EXACT || value < -EXACT) throw new NotEvaluated(`${value} is beyond 2^53`);
  return value;
}

/** onnxruntime compares some int64 by their lower halves. */
function lower(value: bigint): bigint {
  if (BigInt.asIntN(32, value) !== value) throw new NotEvaluated(`${value} is compared`);
  return value;
}

function reduction(check: (value: bigint) => bigint, combine: (a: bigint, b: bigint) => bigint): Evaluator {
  return (node, inputs, context) => {
    const tensor = required(inputs, 0);
    const { dims, elementType } = tensor;
    if (elementType !== 'int64' && elementType !== 'int32') throw new NotEvaluated(`it reduces ${elementType}`);
    const listed = listOf(node, inputs, 'axes', 1) ?? [];
    if (listed.length === 0 && node.int('noop_with_empty_axes', 0) === 1) throw new NotEvaluated('it reduces nothing');
    const axes =
      listed.length === 0
        ? dims.map((_, axis) => axis)
        : listed.map((axis) => frontAxisSince11(axis, dims.length, context));
    const keepsDims = node.int('keepdims', 1) === 1;
    const kept = dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const outputDims = keepsDims ? kept : dims.filter((_, axis) => !axes.includes(axis));
    const count = admit(elementType, outputDims, context);
    // onnxruntime and the specification disagree on what that is.
    if (tensor.count === 0) throw new NotEvaluated('it reduces no elements');
    const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
    const target = stridedIndices(dims, strides);
    const results = new Array<bigint | undefined>(count).fill(undefined);
    for (const [index, element] of Array.from(tensor.typed() as Int32Array | BigInt64Array, BigInt).entries()) {
      const to = target[index] ?? 0;
      const before = results[to];
      results[to] = before === undefined ? check(element) : check(combine(before, check(element)));
    }
    const [whole, low, high] = [results.map((result) => result ?? 0n), -(2n ** 31n), 2n ** 31n - 1n];
    if (elementType === 'int64') return [Tensor.int64(whole, outputDims)];
    if (whole.some((result) => result < low || result > high)) throw new NotEvaluated('an int32 overflows');
    return [Tensor.fromTyped('int32', outputDims, Int32Array.from(whole, Number))];
  };
}

export const reduceSum = reduction(exact, (a, b) => a + b);
export const reduceProd = reduction(exact, (a, b) => a * b);
// What `lower` lets through, numbers hold.
export const reduceMax = reduction(lower, (a, b) => BigInt(Math.max(Number(a), Number(b))));
export const reduceMin = reduction(lower, (a, b) => BigInt(Math.min(Number(a), Number(b))));
