/** Operators that reduce dimensions. */
import { cast, unary } from '../../../lowering/elementwise.js';
import { squeeze } from '../../../lowering/rearrange.js';
import { allAxes, moments, type ReduceOperator, reduce, reduceBool } from '../../../lowering/reduce.js';
import type { Operation, OperationLowering } from './operation.js';

/** What an operator calls its arguments: Keras says `x`, `axis` and `keepdims`, TensorFlow `input_tensor`, `axis` and `keepdims`. */
export interface ReduceNames {
  readonly x: string;
  readonly axis: string;
  readonly keepDims: string;
}

export const KERAS: ReduceNames = { x: 'x', axis: 'axis', keepDims: 'keepdims' };
export const TENSORFLOW: ReduceNames = { x: 'input_tensor', axis: 'axis', keepDims: 'keepdims' };

function parts(operation: Operation, names: ReduceNames) {
  const x = operation.value(0, names.x);
  const axes = operation.integers(1, names.axis) ?? allAxes(x);
  return { x, axes, keepDims: operation.boolean(2, names.keepDims, false) };
}

/** @param floats whether integers become float32 first, as a mean of Keras wants it */
export function reduction(operator: ReduceOperator, names: ReduceNames, floats = false): OperationLowering {
  return (operation) => {
    const { x, axes, keepDims } = parts(operation, names);
    return [reduce(operation.builder, operator, floats ? cast(operation.builder, x, 'float32') : x, axes, keepDims)];
  };
}

export function boolReduction(which: 'all' | 'any', names: ReduceNames): OperationLowering {
  return (operation) => {
    const { x, axes, keepDims } = parts(operation, names);
    return [reduceBool(operation.builder, which, cast(operation.builder, x, 'bool'), axes, keepDims)];
  };
}

/** Of the whole, not of a sample. */
export function variance(names: ReduceNames, root: boolean): OperationLowering {
  return (operation) => {
    const { builder } = operation;
    const { x, axes, keepDims } = parts(operation, names);
    const kept = moments(builder, cast(builder, x, 'float32'), axes).variance;
    const result = keepDims ? kept : squeeze(builder, kept, axes);
    return [root ? unary(builder, 'Sqrt', result) : result];
  };
}
