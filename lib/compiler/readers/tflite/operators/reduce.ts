/** Many elements to one. */
import type { Value } from '../../../ir/value.js';
import { argMax, cumulativeSum, type ReduceOperator, reduce, reduceBool } from '../../../lowering/reduce.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, type OperatorTable } from '../operator-table.js';

const reducing = (operator: ReduceOperator) => computing((call) => reduced(call, operator));

function reduced(call: OperatorCall, operator: ReduceOperator): Value {
  return reduce(call.builder, operator, call.input(0), axesOf(call), call.options('ReducerOptions').keepDimensions);
}

const ofBools = (which: 'all' | 'any') =>
  computing((call) => {
    const { keepDimensions } = call.options('ReducerOptions');
    return reduceBool(call.builder, which, call.input(0), axesOf(call), keepDimensions);
  });

function axesOf(call: OperatorCall): readonly number[] {
  return call.requiredNumbers(1, 'the axes that it reduces');
}

const position = (operator: 'ArgMax' | 'ArgMin') =>
  computing((call) => {
    const [axis = 0] = call.requiredNumbers(1, 'the axis along which it looks');
    return argMax(call.builder, operator, call.input(0), axis, { elementType: call.outputElementType() });
  });

export const reducers: OperatorTable = {
  ARG_MAX: position('ArgMax'),
  ARG_MIN: position('ArgMin'),
  CUMSUM: computing((call) => {
    const [axis = 0] = call.requiredNumbers(1, 'the axis along which it sums');
    const { exclusive, reverse } = call.options('CumsumOptions');
    return cumulativeSum(call.builder, call.input(0), axis, { exclusive, reverse });
  }),
  MEAN: reducing('ReduceMean'),
  REDUCE_ALL: ofBools('all'),
  REDUCE_ANY: ofBools('any'),
  REDUCE_MAX: reducing('ReduceMax'),
  REDUCE_MIN: reducing('ReduceMin'),
  REDUCE_PROD: reducing('ReduceProd'),
  SUM: reducing('ReduceSum'),
};
