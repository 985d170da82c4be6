/** Sums, means and the like along axes. */
import type { Value } from '../../../ir/value.js';
import { argMax, cumulativeSum, type ReduceOperator, reduce, reduceBool } from '../../../lowering/reduce.js';
import type { OpCall, OpLowering, OpTable } from '../op-call.js';
import { perPart } from './per-part.js';

const reduction = (operator: ReduceOperator): OpLowering => {
  return (call) => {
    const axes = call.numbers(1, 'axes');
    return axes.length === 0 ? call.input(0) : reduce(call.builder, operator, call.input(0), axes, keepDims(call));
  };
};

const ofBools = (which: 'all' | 'any'): OpLowering => {
  return (call) => {
    const axes = call.numbers(1, 'axes');
    return axes.length === 0 ? call.input(0) : reduceBool(call.builder, which, call.input(0), axes, keepDims(call));
  };
};

const position = (operator: 'ArgMax' | 'ArgMin'): OpLowering => {
  return (call) => {
    const elementType = call.attributes.elementType('output_type', 'int64');
    const axis = call.operands.length > 1 ? call.number(1, 'axis') : 0;
    return argMax(call.builder, operator, call.input(0), axis, { elementType });
  };
};

export const REDUCTION_OPS: OpTable = {
  All: ofBools('all'),
  Any: ofBools('any'),
  ArgMax: position('ArgMax'),
  ArgMin: position('ArgMin'),
  Cumsum: perPart((call): Value => {
    const options = {
      exclusive: call.attributes.bool('exclusive', false),
      reverse: call.attributes.bool('reverse', false),
    };
    return cumulativeSum(call.builder, call.input(0), call.number(1, 'axis'), options);
  }),
  EuclideanNorm: reduction('ReduceL2'),
  Max: reduction('ReduceMax'),
  Mean: perPart(reduction('ReduceMean')),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  Sum: perPart(reduction('ReduceSum')),
};

function keepDims(call: OpCall): boolean {
  return call.attributes.bool('keep_dims', call.attributes.bool('keepdims', false));
}
