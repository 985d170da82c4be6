/** Recurrent layers step by step, where ONNX's operators lack an activation or a formula: a Scan whose body is one step. */
import { attribute } from '../ir/attribute.js';
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import { binary, unary } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { lastStepRuns, sizeAlong, whereFirst, zeroUnless } from './masked-steps.js';
import { matmul } from './matrix.js';
import { slice, split, transpose } from './rearrange.js';
import type { RecurrentActivation } from './recurrent-activation.js';
import type { RecurrentOptions, RecurrentRun, RecurrentWeights } from './recurrent-layer.js';
import { requiredSize, type Shape, shapeOf } from './shape.js';

/** One step of a recurrent layer. */
export interface Cell {
  /** The sizes of its states, without the batch. The first state is the output. */
  readonly stateShapes: readonly Shape[];
  /** What of a step does not depend on the state, for all steps at once: [N, T, …] → [N, T, …]. */
  readonly prepare: (builder: GraphBuilder, x: Value) => Value;
  /** The states after a step. @param step of what `prepare` made */
  readonly step: (builder: GraphBuilder, step: Value, states: readonly Value[]) => readonly Value[];
}

function projection({ kernel, bias }: RecurrentWeights): Cell['prepare'] {
  return (builder, x) => {
    const product = matmul(builder, x, kernel);
    return bias === undefined ? product : binary(builder, 'Add', product, bias);
  };
}

function recurrence(builder: GraphBuilder, state: Value, kernel: Value, bias: Value | undefined): Value {
  const product = matmul(builder, state, kernel);
  return bias === undefined ? product : binary(builder, 'Add', product, bias);
}

function unitsOf({ recurrentKernel }: RecurrentWeights): number {
  return requiredSize(recurrentKernel, 0, 'A recurrent layer');
}

export function lstmCell(weights: RecurrentWeights, activation: RecurrentActivation, gate: RecurrentActivation): Cell {
  const units = unitsOf(weights);
  return {
    stateShapes: [[units], [units]],
    prepare: projection(weights),
    step: (builder, step, [h, c]) => {
      if (h === undefined || c === undefined) throw new TypeError('an LSTM without its states');
      const sums = binary(builder, 'Add', step, recurrence(builder, h, weights.recurrentKernel, weights.recurrentBias));
      const gates = split(builder, sums, -1, [units, units, units, units]);
      return lstmStep(builder, gates, c, { activation, recurrentActivation: gate });
    },
  };
}

/** h and c after a step. @param gates the sums of i, f, c and o, before their activations */
export function lstmStep(
  builder: GraphBuilder,
  gates: readonly Value[],
  c: Value,
  activations: { readonly activation: RecurrentActivation; readonly recurrentActivation: RecurrentActivation },
): readonly [Value, Value] {
  const { activation, recurrentActivation: gate } = activations;
  const [i, f, candidate, o] = gates as readonly [Value, Value, Value, Value];
  const kept = binary(builder, 'Mul', gate.apply(builder, f), c);
  const added = binary(builder, 'Mul', gate.apply(builder, i), activation.apply(builder, candidate));
  const next = binary(builder, 'Add', kept, added);
  return [binary(builder, 'Mul', gate.apply(builder, o), activation.apply(builder, next)), next];
}

export function gruCell(
  weights: RecurrentWeights,
  activation: RecurrentActivation,
  gate: RecurrentActivation,
  resetAfter: boolean,
): Cell {
  const units = unitsOf(weights);
  const { recurrentKernel, recurrentBias } = weights;
  return {
    stateShapes: [[units]],
    prepare: projection(weights),
    step: (builder, step, [h]) => {
      if (h === undefined) throw new TypeError('a GRU without its state');
      const [ofInput, candidate] = split(builder, step, -1, [2 * units, units]) as [Value, Value];
      const gatesOf = (x: Value) => slice(builder, x, [{ axis: -1, start: 0, end: 2 * units }]);
      const candidateOf = (x: Value) => slice(builder, x, [{ axis: -1, start: 2 * units }]);
      const all = resetAfter ? recurrence(builder, h, recurrentKernel, recurrentBias) : undefined;
      const sums = binary(
        builder,
        'Add',
        ofInput,
        all === undefined ? matmul(builder, h, gatesOf(recurrentKernel)) : gatesOf(all),
      );
      const [z, r] = split(builder, gate.apply(builder, sums), -1, [units, units]) as [Value, Value];
      const reset =
        all === undefined
          ? matmul(builder, binary(builder, 'Mul', r, h), candidateOf(recurrentKernel))
          : binary(builder, 'Mul', r, candidateOf(all));
      const proposed = activation.apply(builder, binary(builder, 'Add', candidate, reset));
      const one = builder.scalar(1, elementTypeOf(h));
      const renewed = binary(builder, 'Mul', binary(builder, 'Sub', one, z), proposed);
      return [binary(builder, 'Add', binary(builder, 'Mul', z, h), renewed)];
    },
  };
}

export function simpleCell(weights: RecurrentWeights, activation: RecurrentActivation): Cell {
  return {
    stateShapes: [[unitsOf(weights)]],
    prepare: projection(weights),
    step: (builder, step, [h]) => {
      if (h === undefined) throw new TypeError('a recurrent layer without its state');
      const sums = binary(builder, 'Add', step, recurrence(builder, h, weights.recurrentKernel, weights.recurrentBias));
      return [activation.apply(builder, sums)];
    },
  };
}

/**
 * Runs a cell over the steps of [N, T, …]. At a masked step the states stay, and the output is that of the step before, at first 0,
 * whatever the initial state.
 */
export function scanned(builder: GraphBuilder, x: Value, cell: Cell, options: RecurrentOptions): RecurrentRun {
  const { mask, returnSequences, reverse = false, zeroOutputForMask = false, initialState } = options;
  const prepared = cell.prepare(builder, x);
  const initial = cell.stateShapes.map((shape, index) => initialState?.[index] ?? zeroState(builder, x, shape));
  // What masked steps repeat is the state, unless there was one before the first step.
  const repeats = mask !== undefined && initialState !== undefined && !zeroOutputForMask;
  const carried = repeats ? [...initial, zeroState(builder, x, cell.stateShapes[0] ?? [])] : initial;
  const sequences = [prepared, ...(mask === undefined ? [] : [mask])].map((value) => timeFirst(builder, value));

  const body = builder.subgraph('step');
  const bodyInput = (name: string, { elementType, shape }: ReturnType<typeof typeOf>) => {
    return body.input(builder.path === '' ? name : `${builder.path}/${name}`, { elementType, shape });
  };
  const before = carried.map((value, index) => bodyInput(`state_${index}`, typeOf(value)));
  const [step, runs] = sequences.map((value, index) => bodyInput(index === 0 ? 'step' : 'mask', withoutFirst(value)));
  const computed = cell.step(body, step as Value, before.slice(0, initial.length));
  const after = computed.map((state, index) =>
    runs === undefined ? state : whereFirst(body, runs, state, before[index] as Value),
  );
  const output = stepOutput(body, {
    state: after[0] as Value,
    computed: computed[0] as Value,
    runs,
    previous: repeats ? before.at(-1) : undefined,
    zeroOutputForMask,
  });
  const results = [...after, ...(repeats ? [output] : []), ...(returnSequences ? [output] : [])];
  body.graph.setOutputs(results.map((value) => unary(body, 'Identity', value)));

  const { elementType, shape } = typeOf(initial[0] as Value);
  const every = { elementType, shape: [shapeOf(x)[1], ...shape] };
  const outputs = builder.nodes(
    'Scan',
    [...carried, ...sequences],
    [...carried.map(typeOf), ...(returnSequences ? [every] : [])],
    { attributes: { body: attribute.graph(body.graph), ...directions(sequences.length, returnSequences, reverse) } },
  ) as Value[];
  const states = outputs.slice(0, initial.length);
  if (returnSequences) return { output: timeFirst(builder, outputs.at(-1) as Value), states };
  return { output: repeats ? (outputs.at(-1) as Value) : lastOutput(builder, states[0] as Value, options), states };
}

function directions(inputs: number, returnSequences: boolean, reverse: boolean) {
  return {
    num_scan_inputs: attribute.int(inputs),
    ...(reverse ? { scan_input_directions: attribute.ints(Array.from({ length: inputs }, () => 1)) } : {}),
    ...(reverse && returnSequences ? { scan_output_directions: attribute.ints([1]) } : {}),
  };
}

function stepOutput(
  body: GraphBuilder,
  given: {
    readonly state: Value;
    readonly computed: Value;
    readonly runs: Value | undefined;
    readonly previous: Value | undefined;
    readonly zeroOutputForMask: boolean;
  },
): Value {
  const { state, computed, runs, previous, zeroOutputForMask } = given;
  if (runs === undefined) return state;
  if (zeroOutputForMask) return zeroUnless(body, runs, computed);
  return previous === undefined ? state : whereFirst(body, runs, computed, previous);
}

function lastOutput(
  builder: GraphBuilder,
  state: Value,
  { mask, reverse = false, zeroOutputForMask = false }: RecurrentOptions,
): Value {
  return mask !== undefined && zeroOutputForMask
    ? zeroUnless(builder, lastStepRuns(builder, mask, reverse), state)
    : state;
}

/** [N, T, …] ↔ [T, N, …]. */
function timeFirst(builder: GraphBuilder, x: Value): Value {
  const rest = shapeOf(x)
    .slice(2)
    .map((_, index) => index + 2);
  return transpose(builder, x, [1, 0, ...rest]);
}

function withoutFirst(x: Value): ReturnType<typeof typeOf> {
  const { elementType, shape } = typeOf(x);
  return { elementType, shape: shape.slice(1) };
}

/** Zeros [N, …shape], N as in `x`. */
function zeroState(builder: GraphBuilder, x: Value, shape: Shape): Value {
  const { elementType, shape: dimensions } = typeOf(x);
  const [batch] = dimensions;
  const sizes = shape.map(Number);
  const value = Tensor.fromNumbers(elementType, [1], [0]);
  const attributes = { axis: attribute.int(0) };
  const target = builder.node(
    'Concat',
    [sizeAlong(builder, x, 0), builder.int64(sizes)],
    { elementType: 'int64', shape: [1 + sizes.length] },
    { attributes },
  );
  return builder.node(
    'ConstantOfShape',
    [target],
    { elementType, shape: [batch, ...shape] },
    {
      attributes: { value: attribute.tensor(value) },
    },
  );
}
