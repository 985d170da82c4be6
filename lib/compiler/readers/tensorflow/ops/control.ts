/** If and While on functions. */
import type { Value } from '../../../ir/value.js';
import { conditional, loop } from '../../../lowering/control-flow.js';
import { compare, unary } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { reshape } from '../../../lowering/rearrange.js';
import { isComplex, type OpCall, type Operand, type OpTable } from '../op-call.js';

export const CONTROL_OPS: OpTable = {
  Case: (call) => choiceOfMany(call),
  If: (call) => choice(call),
  StatelessCase: (call) => choiceOfMany(call),
  StatelessIf: (call) => choice(call),
  StatelessWhile: (call) => repetition(call),
  While: (call) => repetition(call),
};

function choice(call: OpCall): readonly Operand[] {
  const args = call.operands.slice(1);
  const branch = (name: string) => (builder: GraphBuilder) => {
    return builder.scope(name, () => plain(call, call.callFunction(builder, call.attributes.functionName(name), args)));
  };
  const condition = truth(call.builder, call.input(0));
  return conditional(call.builder, condition, branch('then_branch'), branch('else_branch'));
}

/** The branch of that number; the last where there is none. */
function choiceOfMany(call: OpCall): readonly Operand[] {
  const names = call.attributes.functionNames('branches');
  const [args, index] = [call.operands.slice(1), reshape(call.builder, call.input(0), [])];
  const choose = (at: number) => (builder: GraphBuilder) =>
    builder.scope(`branch_${at}`, () => branchFrom(builder, at));
  const branchFrom = (builder: GraphBuilder, at: number): readonly Value[] => {
    const take = (on: GraphBuilder) => plain(call, call.callFunction(on, names[at] ?? '', args));
    if (at >= names.length - 1) return take(builder);
    const isThis = compare(builder, 'Equal', index, builder.scalar(at, elementTypeOf(index)));
    return conditional(builder, isThis, take, choose(at + 1));
  };
  return choose(0)(call.builder);
}

/** While `cond` of the values holds, they become `body` of them. */
function repetition(call: OpCall): readonly Operand[] {
  const condition = (builder: GraphBuilder, values: readonly Operand[]) => {
    const [result] = call.callFunction(builder, call.attributes.functionName('cond'), values);
    if (result !== undefined && !isComplex(result)) return truth(builder, result);
    throw call.refuse('OP_INPUTS', 'has a condition without a result', 'Export the model again.');
  };
  const initial = plain(call, call.operands);
  const first = call.builder.scope('cond', () => condition(call.builder, initial));
  const { states } = loop(call.builder, first, initial, (builder, values) => {
    const results = builder.scope('body', () => {
      return plain(call, call.callFunction(builder, call.attributes.functionName('body'), values));
    });
    return { condition: builder.scope('cond', () => condition(builder, results)), states: results };
  });
  return states;
}

/** TensorFlow takes numbers for conditions: those other than 0 hold. */
function truth(builder: GraphBuilder, condition: Value): Value {
  const scalar = reshape(builder, condition, []);
  const elementType = elementTypeOf(scalar);
  if (elementType === 'bool') return scalar;
  return unary(builder, 'Not', compare(builder, 'Equal', scalar, builder.scalar(0, elementType)));
}

function plain(call: OpCall, operands: readonly Operand[]): Value[] {
  return operands.map((operand) => {
    if (!isComplex(operand)) return operand;
    throw call.refuse('OP_COMPLEX', 'of complex numbers is not supported', 'Pass real and imaginary parts.');
  });
}
