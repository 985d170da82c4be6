/** Comparisons, logic, and choices by them. */
import { type BinaryOperator, binary, type Comparison, compare, unary, where } from '../../../lowering/elementwise.js';
import { nonZeroCoordinates } from '../../../lowering/gather.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { oneHot, selectRows, topK } from '../../../lowering/select.js';
import type { OpCall, OpLowering, OpTable } from '../op-call.js';
import { perPart } from './per-part.js';

const comparison = (operator: Comparison): OpLowering => {
  return (call) => compare(call.builder, operator, call.input(0), call.input(1));
};
const logical = (operator: BinaryOperator): OpLowering => {
  return (call) => binary(call.builder, operator, call.input(0), call.input(1));
};

export const LOGIC_OPS: OpTable = {
  /** |x - y| < tolerance */
  ApproximateEqual: (call) => {
    const difference = unary(call.builder, 'Abs', binary(call.builder, 'Sub', call.input(0), call.input(1)));
    return compare(call.builder, 'Less', difference, call.scalarLike(0, call.attributes.float('tolerance', 1e-5)));
  },
  Equal: comparison('Equal'),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  LogicalAnd: logical('And'),
  LogicalNot: (call) => unary(call.builder, 'Not', call.input(0)),
  LogicalOr: logical('Or'),
  LogicalXor: logical('Xor'),
  NotEqual: (call) => unary(call.builder, 'Not', compare(call.builder, 'Equal', call.input(0), call.input(1))),
  OneHot: (call) => {
    const [indices, depth, on, off] = [0, 1, 2, 3].map((index) => call.input(index)) as [never, never, never, never];
    return oneHot(call.builder, indices, depth, on, off, call.attributes.int('axis', -1));
  },
  Select: perPart((call) => selectRows(call.builder, call.input(0), call.input(1), call.input(2))),
  SelectV2: perPart((call) => where(call.builder, call.input(0), call.input(1), call.input(2))),
  TopK: (call) => largest(call, call.builder.int64([call.attributes.int('k')])),
  TopKV2: (call) => largest(call, call.input(1)),
  Where: (call) => nonZeroCoordinates(call.builder, asComparable(call)),
};

function largest(call: OpCall, k: ReturnType<OpCall['input']>): readonly ReturnType<OpCall['input']>[] {
  const { values, indices } = topK(call.builder, call.input(0), k, call.attributes.elementType('index_type', 'int32'));
  return [values, indices];
}

/** onnxruntime looks for what is not zero in bool, float32, int32, int64 and uint8. */
function asComparable(call: OpCall) {
  const x = call.input(0);
  if (['bool', 'float32', 'int32', 'int64', 'uint8'].includes(elementTypeOf(x))) return x;
  return unary(call.builder, 'Not', compare(call.builder, 'Equal', x, call.scalarLike(0, 0)));
}
