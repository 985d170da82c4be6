import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import type { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import {
  gru,
  lstm,
  type RecurrentOptions,
  type RecurrentRun,
  simpleRnn,
} from '../../../lib/compiler/lowering/recurrent.js';
import { recurrentActivation } from '../../../lib/compiler/lowering/recurrent-activation.js';
import { numbersOf, runLowered } from '../../support/lowered.js';

const [STEPS, FEATURES, UNITS] = [5, 2, 2];

/** Small numbers that differ. */
function waves(dims: readonly number[], seed: number): Tensor {
  const count = dims.reduce((product, size) => product * size, 1);
  return Tensor.fromNumbers(
    'float32',
    dims,
    Array.from({ length: count }, (_, index) => Math.sin(1.7 * index + seed)),
  );
}

interface Kind {
  readonly gates: number;
  readonly states: number;
  readonly lower: (builder: GraphBuilder, x: Value, options: RecurrentOptions, bent: string) => RecurrentRun;
}

function weights(builder: GraphBuilder, gates: number) {
  return {
    kernel: builder.constant(waves([FEATURES, gates * UNITS], 1)),
    recurrentKernel: builder.constant(waves([UNITS, gates * UNITS], 2)),
    bias: builder.constant(waves([gates * UNITS], 3)),
  };
}

const KINDS: Readonly<Record<string, Kind>> = {
  lstm: {
    gates: 4,
    states: 2,
    lower: (builder, x, options, bent) => {
      const activations = {
        activation: recurrentActivation(bent),
        recurrentActivation: recurrentActivation('sigmoid'),
      };
      return lstm(builder, x, weights(builder, 4), { ...options, ...activations });
    },
  },
  gru: {
    gates: 3,
    states: 1,
    lower: (builder, x, options, bent) => {
      const activations = {
        activation: recurrentActivation(bent),
        recurrentActivation: recurrentActivation('sigmoid'),
      };
      return gru(builder, x, weights(builder, 3), { ...options, ...activations, resetAfter: false });
    },
  },
  rnn: {
    gates: 1,
    states: 1,
    lower: (builder, x, options, bent) => {
      return simpleRnn(builder, x, weights(builder, 1), { ...options, activation: recurrentActivation(bent) });
    },
  },
};

interface Case {
  readonly kind: string;
  /** mish: no operator of ONNX has it. */
  readonly bent: 'tanh' | 'mish';
  readonly mask: readonly (readonly boolean[])[];
  readonly reverse: boolean;
  readonly zeroOutputForMask: boolean;
  readonly withInitial: boolean;
}

/** Any, or nothing at all. */
const maskRow = fc.oneof(
  { arbitrary: fc.array(fc.boolean(), { minLength: STEPS, maxLength: STEPS }), weight: 3 },
  { arbitrary: fc.constant(Array.from({ length: STEPS }, () => false)), weight: 1 },
);

const cases: fc.Arbitrary<Case> = fc.record({
  kind: fc.constantFrom(...Object.keys(KINDS)),
  bent: fc.constantFrom('tanh' as const, 'mish' as const),
  mask: fc.array(maskRow, { minLength: 1, maxLength: 3 }),
  reverse: fc.boolean(),
  zeroOutputForMask: fc.boolean(),
  withInitial: fc.boolean(),
});

/** Steps [from, to) of every sequence, without a mask. */
async function unmasked(kind: Kind, bent: string, x: Tensor, states: readonly Tensor[]): Promise<number[][]> {
  const inputs = { x, ...Object.fromEntries(states.map((state, index) => [`s${index}`, state])) };
  const { outputs } = await runLowered(inputs, (builder, { x: value, ...initial }) => {
    const options = { returnSequences: false, initialState: Object.values(initial) };
    const run = kind.lower(builder, value as Value, options, bent);
    return Object.fromEntries(run.states.map((state, index) => [`o${index}`, state]));
  });
  return Object.values(outputs).map(numbersOf);
}

/** Step by step, as Keras's documentation says: a masked step leaves the state, and repeats the output or puts out zeros. */
async function stepByStep({ kind: name, bent, mask, reverse, zeroOutputForMask, withInitial }: Case, x: Tensor) {
  const kind = KINDS[name] as Kind;
  const [sequences, lasts, finals] = [[] as number[][], [] as number[], [] as number[][]];
  for (const [row, runs] of mask.entries()) {
    let states = Array.from({ length: kind.states }, (_, index) => initialState(withInitial, 1, index, row));
    let output = [0, 0];
    const outputs: number[][] = [];
    const order = Array.from({ length: STEPS }, (_, step) => (reverse ? STEPS - 1 - step : step));
    for (const step of order) {
      if (runs[step]) {
        const at = (row * STEPS + step) * FEATURES;
        const numbers = (x.typed() as Float32Array).slice(at, at + FEATURES);
        const next = await unmasked(kind, bent, Tensor.fromNumbers('float32', [1, 1, FEATURES], numbers), states);
        states = next.map((state) => Tensor.fromNumbers('float32', [1, UNITS], state));
        output = next[0] ?? [];
        outputs[step] = output;
      } else outputs[step] = zeroOutputForMask ? [0, 0] : output;
    }
    sequences.push(outputs.flat());
    lasts.push(...(outputs[order.at(-1) ?? 0] ?? []));
    finals.push(states.flatMap((state) => Array.from(state.typed() as Float32Array)));
  }
  return { sequence: sequences.flat(), last: lasts, states: finals.flat() };
}

function initialState(withInitial: boolean, rows: number, index: number, row = 0): Tensor {
  const all = waves([4, UNITS], 5 + index).typed() as Float32Array;
  const numbers = withInitial ? all.slice(row * UNITS, (row + rows) * UNITS) : new Float32Array(rows * UNITS);
  return Tensor.fromNumbers('float32', [rows, UNITS], numbers);
}

async function atOnce({ kind: name, bent, mask, reverse, zeroOutputForMask, withInitial }: Case, x: Tensor) {
  const kind = KINDS[name] as Kind;
  const rows = mask.length;
  const bits = Tensor.fromNumbers('bool', [rows, STEPS], mask.flat().map(Number));
  const states = Array.from({ length: kind.states }, (_, index) => initialState(true, rows, index));
  const inputs = { x, mask: bits, ...Object.fromEntries(states.map((state, index) => [`s${index}`, state])) };
  const { outputs, operators } = await runLowered(
    inputs,
    (builder, { x: value, mask: runs, ...initial }) => {
      const options = {
        mask: runs as Value,
        reverse,
        zeroOutputForMask,
        ...(withInitial ? { initialState: Object.values(initial) } : {}),
      };
      const all = kind.lower(builder, value as Value, { ...options, returnSequences: true }, bent);
      const one = kind.lower(builder, value as Value, { ...options, returnSequences: false }, bent);
      const finals = Object.fromEntries(one.states.map((state, index) => [`state${index}`, state]));
      return { sequence: all.output, last: one.output, ...finals };
    },
    { x: [0, 1], mask: [0, 1] },
  );
  const perRow = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: kind.states }, (_, index) =>
      numbersOf(outputs[`state${index}`]).slice(row * UNITS, (row + 1) * UNITS),
    ),
  );
  return {
    operators,
    sequence: numbersOf(outputs.sequence),
    last: numbersOf(outputs.last),
    states: perRow.flat(2),
  };
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((number, index) => Math.abs(number - (b[index] ?? Number.NaN))));
}

describe('masked steps of recurrent layers', () => {
  it('are passed over one by one, wherever the holes are, in both directions', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (each) => {
        const x = waves([each.mask.length, STEPS, FEATURES], 4);
        const [expected, actual] = [await stepByStep(each, x), await atOnce(each, x)];
        for (const what of ['sequence', 'last', 'states'] as const) {
          expect(largestDifference(actual[what], expected[what]), what).toBeLessThan(2e-6);
        }
        expect(actual.operators.includes('Scan')).toBe(each.bent === 'mish');
      }),
      { numRuns: 40 },
    );
  });
});
