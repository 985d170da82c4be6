/**
 * Recurrent layers as Keras defines them, on ONNX's operators where these have the activations, else step by step in a Scan
 * (recurrent-scan.ts). Kernels come as in Keras, gates side by side: i, f, c, o of an LSTM and z, r, h of a GRU.
 */
import { type Attribute, attribute } from '../ir/attribute.js';
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import { cast } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import {
  gatherSteps,
  lastStepRuns,
  type MaskedSteps,
  maskedSteps,
  scatterSteps,
  whereFirst,
  zeroUnless,
} from './masked-steps.js';
import { concat, split, squeeze, transpose, unsqueeze } from './rearrange.js';
import { activationAttributes, type RecurrentActivation } from './recurrent-activation.js';
import type { RecurrentOptions, RecurrentRun, RecurrentWeights } from './recurrent-layer.js';
import { gruCell, lstmCell, scanned, simpleCell } from './recurrent-scan.js';
import { requiredSize } from './shape.js';

/**
 * i, f, o = gate(x · W + h · R + b); c = f · c + i · act(…); h = o · act(c). No peepholes.
 * @param x [N, T, features]
 */
export function lstm(
  builder: GraphBuilder,
  x: Value,
  weights: RecurrentWeights,
  options: RecurrentOptions & {
    readonly activation: RecurrentActivation;
    readonly recurrentActivation: RecurrentActivation;
  },
): RecurrentRun {
  const { activation, recurrentActivation } = options;
  const activations = activationAttributes([recurrentActivation, activation, activation]);
  if (activations === undefined)
    return scanned(builder, x, lstmCell(weights, activation, recurrentActivation), options);
  // ONNX's order is i, o, f, c.
  const layout = { opType: 'LSTM', order: [0, 3, 1, 2], states: 2 };
  return run(builder, x, weights, options, { ...layout, attributes: activations });
}

/**
 * z, r = gate(x · W + h · R + b); h = z · h + (1 - z) · act(x · W + …), where the reset gate r multiplies h before (`resetAfter` false)
 * or h · R + b after.
 * @param x [N, T, features]
 */
export function gru(
  builder: GraphBuilder,
  x: Value,
  weights: RecurrentWeights,
  options: RecurrentOptions & {
    readonly activation: RecurrentActivation;
    readonly recurrentActivation: RecurrentActivation;
    readonly resetAfter: boolean;
  },
): RecurrentRun {
  const { activation, recurrentActivation, resetAfter } = options;
  const activations = activationAttributes([recurrentActivation, activation]);
  if (activations === undefined) {
    return scanned(builder, x, gruCell(weights, activation, recurrentActivation, resetAfter), options);
  }
  const attributes = { ...activations, linear_before_reset: attribute.int(resetAfter ? 1 : 0) };
  return run(builder, x, weights, options, { opType: 'GRU', order: [0, 1, 2], states: 1, attributes });
}

/** h = act(x · W + h · R + b). @param x [N, T, features] */
export function simpleRnn(
  builder: GraphBuilder,
  x: Value,
  weights: RecurrentWeights,
  options: RecurrentOptions & { readonly activation: RecurrentActivation },
): RecurrentRun {
  const attributes = activationAttributes([options.activation]);
  if (attributes === undefined) return scanned(builder, x, simpleCell(weights, options.activation), options);
  return run(builder, x, weights, options, { opType: 'RNN', order: [0], states: 1, attributes });
}

interface Operator {
  readonly opType: string;
  /** Which of Keras's gates stands at each place of ONNX's. */
  readonly order: readonly number[];
  readonly states: number;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

function run(
  builder: GraphBuilder,
  x: Value,
  weights: RecurrentWeights,
  options: RecurrentOptions,
  { opType, order, states: stateCount, attributes }: Operator,
): RecurrentRun {
  const { mask, initialState, reverse = false } = options;
  const units = requiredSize(weights.recurrentKernel, 0, opType);
  const steps = mask === undefined ? undefined : maskedSteps(builder, mask);
  const { elementType, shape } = typeOf(x);
  const [batch, time] = shape;
  const packed = steps === undefined ? x : gatherSteps(builder, x, steps.order);
  const inputs = [
    transpose(builder, packed, [1, 0, 2]),
    gatesOf(builder, weights.kernel, order),
    gatesOf(builder, weights.recurrentKernel, order),
    biases(builder, weights, order, units),
    // A length of 0 leaves zeros, whatever the initial state: `unpacked` knows better.
    steps === undefined ? undefined : cast(builder, steps.lengths, 'int32'),
    ...Array.from({ length: stateCount }, (_, index) => {
      const state = initialState?.[index];
      return state === undefined ? undefined : unsqueeze(builder, state, [0]);
    }),
  ];
  while (inputs.at(-1) === undefined) inputs.pop();
  const state = { elementType, shape: [1, batch, units] };
  const every = { elementType, shape: [time, 1, batch, units] };
  const [all, ...finals] = builder.nodes(
    opType,
    inputs,
    [options.returnSequences ? every : undefined, ...Array.from({ length: stateCount }, () => state)],
    {
      attributes: {
        ...attributes,
        hidden_size: attribute.int(units),
        ...(reverse ? { direction: attribute.string('reverse') } : {}),
      },
    },
  ) as [Value | undefined, ...Value[]];
  const states = finals.map((value) => squeeze(builder, value, [0]));
  const output = all === undefined ? (states[0] as Value) : transpose(builder, squeeze(builder, all, [1]), [1, 0, 2]);
  return steps === undefined ? { output, states } : unpacked(builder, { output, states }, steps, options);
}

function unpacked(
  builder: GraphBuilder,
  { output, states }: RecurrentRun,
  steps: MaskedSteps,
  { initialState, returnSequences, reverse = false, zeroOutputForMask = false }: RecurrentOptions,
): RecurrentRun {
  const ended = zeroOutputForMask ? lastStepRuns(builder, steps.mask, reverse) : steps.isAny;
  return {
    output: returnSequences
      ? scatterSteps(builder, output, steps, { reverse, zeroOutputForMask })
      : zeroUnless(builder, ended, output),
    states: states.map((state, index) => {
      const initial = initialState?.[index] ?? builder.scalar(0, elementTypeOf(state));
      return whereFirst(builder, steps.isAny, state, initial);
    }),
  };
}

/** [rows, gates · units] → [1, gates · units, rows], in ONNX's order of gates. A constant is rearranged at once, and keeps its name. */
function gatesOf(builder: GraphBuilder, kernel: Value, order: readonly number[]): Value {
  const { initializer } = kernel;
  if (initializer === undefined) {
    return unsqueeze(builder, reordered(builder, transpose(builder, kernel, [1, 0]), order), [0]);
  }
  const turned = builder.constant(turnedGates(initializer, order));
  // The kernel itself is left behind, unless something else reads it.
  if (kernel.uses.size === 0) [kernel.name, turned.name] = [turned.name, kernel.name];
  return turned;
}

/** Whatever the size: the builder computes small constants only. */
function turnedGates(kernel: Tensor, order: readonly number[]): Tensor {
  const [rows = 0, width = 0] = kernel.dims;
  const units = width / order.length;
  const from = kernel.typed();
  const to = from.slice();
  for (const [gate, source] of order.entries()) {
    for (let unit = 0; unit < units; unit++) {
      const start = (gate * units + unit) * rows;
      const column = source * units + unit;
      for (let row = 0; row < rows; row++) to[start + row] = from[row * width + column] ?? 0;
    }
  }
  return Tensor.fromTyped(kernel.elementType, [1, width, rows], to);
}

function reordered(builder: GraphBuilder, gates: Value, order: readonly number[]): Value {
  const units = requiredSize(gates, 0, 'A recurrent layer') / order.length;
  const parts = split(
    builder,
    gates,
    0,
    order.map(() => units),
  );
  return concat(
    builder,
    order.map((index) => parts[index] as Value),
    0,
  );
}

/** [1, 2 · gates · units]: those of the input, then those of the state. */
function biases(
  builder: GraphBuilder,
  { bias, recurrentBias, kernel }: RecurrentWeights,
  order: readonly number[],
  units: number,
): Value | undefined {
  if (bias === undefined && recurrentBias === undefined) return undefined;
  const count = order.length * units;
  const zeros = () => builder.constant(Tensor.fromNumbers(elementTypeOf(kernel), [count], new Float32Array(count)));
  const both = [bias ?? zeros(), recurrentBias ?? zeros()].map((vector) => reordered(builder, vector, order));
  return unsqueeze(builder, concat(builder, both, 0), [0]);
}

export { recurrentActivation } from './recurrent-activation.js';
export type { RecurrentActivation, RecurrentOptions, RecurrentRun, RecurrentWeights };
