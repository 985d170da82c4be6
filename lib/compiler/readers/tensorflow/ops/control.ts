/** If, Case and While on functions. */
import type { Value } from '../../../ir/value.js';
import { conditional, loop } from '../../../lowering/control-flow.js';
import { cast, compare, unary } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { reshape, slice } from '../../../lowering/rearrange.js';
import { shapeOf } from '../../../lowering/shape.js';
import { INVARIANTS } from '../functions/loop-invariants.js';
import { isComplex, type OpCall, type Operand, type OpTable } from '../op-call.js';
import { type FoundLayer, findLayer, lowerLayer, type WrittenLoop } from '../recurrent-loop.js';
import { StepCounters } from '../step-counters.js';
import { countOf, listTensor, putRows, reservedList, type WrittenList, withFirstSize } from '../tensor-lists.js';

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
  const initial = plain(call, call.operands).map((value) => {
    // What was written before the loop is put in place; a list without a shape waits for the loop's first step.
    return (reservedList(value)?.writes.length ?? 0) > 0 ? listTensor(call.builder, value, call.describe()) : value;
  });
  const invariants = new Set(call.attributes.ints(INVARIANTS, []));
  const isState = (value: Value, index: number) => !invariants.has(index) && reservedList(value) === undefined;
  const condition = (builder: GraphBuilder, values: readonly Operand[]) => {
    const [result] = call.callFunction(builder, call.attributes.functionName('cond'), values);
    if (result !== undefined && !isComplex(result)) return truth(builder, result);
    throw call.refuse('OP_INPUTS', 'has a condition without a result', 'Export the model again.');
  };
  const first = call.builder.scope('cond', () => condition(call.builder, initial));
  let written: readonly WrittenList[] = [];
  let layer: readonly [WrittenLoop, FoundLayer] | undefined;
  const ended = loop(call.builder, first, initial.filter(isState), (builder, current) => {
    const given = [...current];
    const values = initial.map((value, index) => (isState(value, index) ? (given.shift() as Value) : value));
    const results = builder.scope('body', () => {
      return plain(call, call.callFunction(builder, call.attributes.functionName('body'), values));
    });
    const again = builder.scope('cond', () => condition(builder, results));
    const steps = new StepCounters(initial, values, results, again);
    written = writtenLists(call, initial, results, steps);
    const whole = { initial, values, results, graph: builder.graph, steps, written };
    const found = findLayer(whole);
    if (found !== undefined) {
      layer = [whole, found];
      return undefined;
    }
    return {
      condition: again,
      states: results.filter((_, index) => isState(initial[index] as Value, index)),
      stacked: written.flatMap(({ element, index }) => {
        return index === undefined ? [element] : [element, reshape(builder, cast(builder, index, 'int64'), [])];
      }),
    };
  });
  if (layer !== undefined) return lowerLayer(call.builder, ...layer);
  const left = [...(ended?.states ?? [])];
  const rows = [...(ended?.stacks ?? [])];
  const lists = new Map(written.map((list) => [list.at, stackedList(call.builder, list, rows)]));
  return initial.map((value, index) => (isState(value, index) ? (left.shift() as Value) : (lists.get(index) ?? value)));
}

function writtenLists(
  call: OpCall,
  initial: readonly Value[],
  results: readonly Value[],
  steps: StepCounters,
): readonly WrittenList[] {
  return initial.flatMap((value, at): WrittenList[] => {
    const list = reservedList(value);
    const result = results[at];
    if (list === undefined || result === undefined || result === value) return [];
    const [write, ...more] = reservedList(result)?.writes ?? [];
    if (write === undefined || more.length > 0) {
      throw call.refuse(
        'LIST_WRITES',
        'writes to a list of tensors more than once a step, or in a loop of its own',
        'Write one element at each step, or give the TensorArray a value before the loop, and export the model again.',
      );
    }
    const inOrder = steps.countsTo(write.index, countOf(list));
    return [{ at, list, element: write.element, index: inOrder ? undefined : write.index }];
  });
}

function stackedList(builder: GraphBuilder, { list, index }: WrittenList, rows: Value[]): Value {
  const stack = rows.shift() as Value;
  if (index === undefined) return withFirstSize(stack, shapeOf(stack), countOf(list));
  const indices = rows.shift() as Value;
  // A list of one element that is written again and again.
  if (countOf(list) === 1) return slice(builder, stack, [{ axis: 0, start: -1 }]);
  return putRows(builder, stack, indices, list);
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
