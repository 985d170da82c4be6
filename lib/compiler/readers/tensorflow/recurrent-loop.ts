/** A loop that is a recurrent layer, written as one. */
import type { Value } from '../../ir/value.js';
import { cast } from '../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../lowering/graph-builder.js';
import { isSameSize, knownElements, knownNumbers, sizesOf } from '../../lowering/known-elements.js';
import { concat, transpose, unsqueeze } from '../../lowering/rearrange.js';
import { gru, lstm, recurrentActivation, simpleRnn } from '../../lowering/recurrent.js';
import type { RecurrentRun } from '../../lowering/recurrent-layer.js';
import { type CellBody, findCell, type RecurrentCell } from './recurrent-cell.js';
import type { StepCounters } from './step-counters.js';
import { countOf, type WrittenList } from './tensor-lists.js';

/** A loop whose body was written once, to look at. */
export interface WrittenLoop {
  /** Before the first step; those of invariants are what the body reads. */
  readonly initial: readonly Value[];
  /** What the body was given: inputs of its graph for states, else the same as `initial`. */
  readonly values: readonly Value[];
  readonly results: readonly Value[];
  readonly graph: CellBody['graph'];
  readonly steps: StepCounters;
  readonly written: readonly WrittenList[];
}

export interface FoundLayer {
  readonly cell: RecurrentCell;
  /** [T, N, features] */
  readonly sequence: Value;
  /** Numbers of the loop's values that are states of the layer, in the order of the body's. */
  readonly states: readonly number[];
  /** A loop's steps, in number. */
  readonly limit: Value;
}

/** @returns undefined where the loop is something else */
export function findLayer({ values, results, graph, steps, written }: WrittenLoop): FoundLayer | undefined {
  const states = [...values.keys()].filter((at) => {
    const value = values[at] as Value;
    return graph.hasInput(value) && !steps.isCounter(value);
  });
  const [limit] = steps.limits ?? [];
  const sequences = new Set<Value>();
  const isStep = (value: Value) => {
    const { producer } = value;
    const [sequence, index] = producer?.is('Gather') && producer.int('axis', 0) === 0 ? producer.inputs : [];
    if (sequence === undefined || index === undefined || !steps.isCounter(index)) return false;
    if (sequence.producer?.graph === graph || sequence.rank !== 3) return false;
    sequences.add(sequence);
    return true;
  };
  const pick = (from: readonly Value[]) => states.map((at) => from[at] as Value);
  const cell = findCell({ graph, isStep, states: pick(values), results: pick(results) });
  const [sequence, ...others] = sequences;
  if (cell === undefined || limit === undefined || sequence === undefined || others.length > 0) return undefined;
  // Every step of the sequence runs, and nothing else ends the loop.
  const isWhole = steps.limits?.every((each) => isSameSize(knownElements(each)?.[0], sizesOf(sequence)[0]));
  const output = results[states[cell.order[0] ?? 0] ?? -1];
  const [list, ...more] = written;
  const isKept =
    list === undefined || (list.element === output && (list.index === undefined || countOf(list.list) === 1));
  if (!isWhole || !isKept || more.length > 0 || elementTypeOf(sequence) !== 'float32') return undefined;
  return { cell, sequence, states, limit };
}

/** Writes the layer, and gives what the loop gives: its values after the last step. */
export function lowerLayer(
  builder: GraphBuilder,
  { initial, values, graph, written, steps }: WrittenLoop,
  { cell, sequence, states, limit }: FoundLayer,
): readonly Value[] {
  // Constants that the body computed stand in its graph, which goes away.
  const own = (value: Value) => {
    const { initializer } = value;
    return initializer !== undefined && graph.initializers.has(value) ? builder.constant(initializer) : value;
  };
  const { kernel, recurrentKernel, bias, recurrentBias } = cell.weights;
  const weights = {
    kernel: own(kernel),
    recurrentKernel: concat(builder, recurrentKernel.map(own), 1),
    ...(bias === undefined ? {} : { bias: own(bias) }),
    ...(recurrentBias === undefined ? {} : { recurrentBias: own(recurrentBias) }),
  };
  const before = cell.order.map((at) => initial[states[at] ?? -1] as Value);
  const [list] = written;
  const options = {
    returnSequences: list !== undefined && list.index === undefined,
    activation: recurrentActivation(cell.activation),
    ...(before.every(isZeros) ? {} : { initialState: before }),
  };
  const x = transpose(builder, sequence, [1, 0, 2]);
  const run = ((): RecurrentRun => {
    if (cell.kind === 'simple') return simpleRnn(builder, x, weights, options);
    const gates = { ...options, recurrentActivation: recurrentActivation(cell.recurrentActivation) };
    if (cell.kind === 'lstm') return lstm(builder, x, weights, gates);
    return gru(builder, x, weights, { ...gates, resetAfter: cell.resetAfter });
  })();
  const after = new Map<number, Value>(cell.order.map((at, index) => [states[at] ?? -1, run.states[index] as Value]));
  if (list !== undefined) {
    const rows = options.returnSequences
      ? transpose(builder, run.output, [1, 0, 2])
      : unsqueeze(builder, run.output, [0]);
    after.set(list.at, rows);
  }
  return initial.map((value, at) => {
    const found = after.get(at);
    if (found !== undefined) return found;
    // After the last step, a counter is at the limit.
    return steps.isCounter(values[at] as Value) ? cast(builder, limit, elementTypeOf(value)) : value;
  });
}

/** Whether a state starts at 0, as the operators' do by themselves. */
function isZeros({ initializer, producer }: Value): boolean {
  if (initializer !== undefined) return initializer.bytes().every((byte) => byte === 0);
  if (producer?.is('Expand')) {
    const value = producer.input(0);
    return value !== undefined && knownNumbers(value)?.[0] === 0;
  }
  return producer?.is('ConstantOfShape') === true && (producer.tensor('value')?.numbers()[0] ?? 0) === 0;
}
