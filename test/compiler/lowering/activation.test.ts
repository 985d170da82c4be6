import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import {
  activation,
  celu,
  elu,
  gelu,
  glu,
  hardSwish,
  isActivation,
  leakyRelu,
  prelu,
  relu,
  shrink,
  softmax,
  sparsemax,
  squareplus,
  thresholded,
} from '../../../lib/compiler/lowering/activation.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { numbersOf, runLowered } from '../../support/lowered.js';
import { refusalOf } from '../../support/refusal.js';

const POINTS = [-40, -7, -3, -2.5, -1, -0.6, -0.25, 0, 0.25, 0.5, 1, 2.5, 3, 5.9, 7, 40];

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Abramowitz and Stegun 7.1.26 would err by 1e-7: the series is exact. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));
const elu1 = (x: number) => (x > 0 ? x : Math.expm1(x));

/** As the documentation of Keras 3 has them. */
const FORMULAS: Readonly<Record<string, (x: number) => number>> = {
  celu: elu1,
  elu: elu1,
  exponential: Math.exp,
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  hard_shrink: (x) => (Math.abs(x) > 0.5 ? x : 0),
  hard_sigmoid: (x) => clamp(x / 6 + 0.5, 0, 1),
  hard_silu: (x) => x * clamp(x / 6 + 0.5, 0, 1),
  hard_swish: (x) => x * clamp(x / 6 + 0.5, 0, 1),
  hard_tanh: (x) => clamp(x, -1, 1),
  leaky_relu: (x) => (x > 0 ? x : 0.2 * x),
  linear: (x) => x,
  log_sigmoid: (x) => -softplus(-x),
  mish: (x) => x * Math.tanh(softplus(x)),
  relu: (x) => Math.max(x, 0),
  relu6: (x) => clamp(x, 0, 6),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  sigmoid,
  silu: (x) => x * sigmoid(x),
  soft_shrink: (x) => Math.sign(x) * Math.max(Math.abs(x) - 0.5, 0),
  softplus,
  softsign: (x) => x / (1 + Math.abs(x)),
  sparse_plus: (x) => (x <= -1 ? 0 : x >= 1 ? x : (x + 1) ** 2 / 4),
  sparse_sigmoid: (x) => clamp((x + 1) / 2, 0, 1),
  squareplus: (x) => (x + Math.sqrt(x * x + 4)) / 2,
  swish: (x) => x * sigmoid(x),
  tanh: Math.tanh,
  tanh_shrink: (x) => x - Math.tanh(x),
};

const points = Tensor.fromNumbers('float32', [POINTS.length], POINTS);

function expectNear(actual: readonly number[], expected: readonly number[], name: string): void {
  expect(actual.length).toBe(expected.length);
  for (const [index, number] of expected.entries()) {
    const error = Math.abs((actual[index] ?? Number.NaN) - number) / Math.max(1, Math.abs(number));
    expect(error, `${name} at ${index}`).toBeLessThan(2e-6);
  }
}

describe('activations', () => {
  it('are what the documentation of Keras 3 says, far from zero and near to it', async () => {
    const names = Object.keys(FORMULAS);
    const { outputs } = await runLowered({ x: points }, (builder, { x }) => {
      if (x === undefined) throw new TypeError();
      return Object.fromEntries(names.map((name) => [name, activation(builder, name, x)]));
    });
    for (const name of names) expectNear(numbersOf(outputs[name]), POINTS.map(FORMULAS[name] ?? Number), name);
  });

  it('knows the hard sigmoid of Keras 2', async () => {
    const { outputs } = await runLowered({ x: points }, (builder, { x }) => {
      if (x === undefined) throw new TypeError();
      return { two: activation(builder, 'hard_sigmoid', x, { kerasMajorVersion: 2 }) };
    });
    expectNear(
      numbersOf(outputs.two),
      POINTS.map((x) => clamp(0.2 * x + 0.5, 0, 1)),
      'hard_sigmoid',
    );
  });

  it('takes numbers: slopes, limits, thresholds', async () => {
    const cases = {
      celu: [(builder, x) => celu(builder, x, 0.5), (x) => Math.max(x, 0) + 0.5 * Math.expm1(Math.min(x, 0) / 0.5)],
      elu: [(builder, x) => elu(builder, x, 0.3), (x) => (x > 0 ? x : 0.3 * Math.expm1(x))],
      gelu: [
        (builder, x) => gelu(builder, x, true),
        (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
      ],
      hardSwish: [hardSwish, (x) => x * clamp(x / 6 + 0.5, 0, 1)],
      leaky: [(builder, x) => leakyRelu(builder, x, 0.1), (x) => (x > 0 ? x : 0.1 * x)],
      prelu: [(builder, x) => prelu(builder, x, builder.floats([0.7])), (x) => (x > 0 ? x : 0.7 * x)],
      reluAll: [
        (builder, x) => relu(builder, x, { maxValue: 5, negativeSlope: 0.5, threshold: 1 }),
        (x) => (x > 1 ? Math.min(x, 5) : 0.5 * (x - 1)),
      ],
      reluMax: [(builder, x) => relu(builder, x, { maxValue: 5 }), (x) => clamp(x, 0, 5)],
      reluSlopeMax: [
        (builder, x) => relu(builder, x, { maxValue: 5, negativeSlope: 0.5 }),
        (x) => (x > 0 ? Math.min(x, 5) : 0.5 * x),
      ],
      reluThreshold: [(builder, x) => relu(builder, x, { threshold: 2.5 }), (x) => (x > 2.5 ? x : 0)],
      reluSlopeThreshold: [
        (builder, x) => relu(builder, x, { threshold: 1, negativeSlope: 0.25 }),
        (x) => (x > 1 ? x : 0.25 * (x - 1)),
      ],
      shrink: [(builder, x) => shrink(builder, x, 1, 0.5), (x) => (x < -1 ? x + 0.5 : x > 1 ? x - 0.5 : 0)],
      squareplus: [(builder, x) => squareplus(builder, x, 1), (x) => (x + Math.sqrt(x * x + 1)) / 2],
      thresholded: [(builder, x) => thresholded(builder, x, 0.25, -2), (x) => (x > 0.25 ? x : -2)],
    } satisfies Record<
      string,
      [
        (builder: GraphBuilder, x: Parameters<typeof hardSwish>[1]) => ReturnType<typeof hardSwish>,
        (x: number) => number,
      ]
    >;
    const { outputs } = await runLowered({ x: points }, (builder, { x }) => {
      if (x === undefined) throw new TypeError();
      return Object.fromEntries(Object.entries(cases).map(([name, [lower]]) => [name, lower(builder, x)]));
    });
    for (const [name, [, formula]] of Object.entries(cases))
      expectNear(numbersOf(outputs[name]), POINTS.map(formula), name);
  });

  it('normalize along one axis, along several, and with large numbers', async () => {
    const x = Tensor.fromNumbers('float32', [2, 2, 2], [1, 2, 3, 4, 1000, 1001, 1002, 1003]);
    const { outputs } = await runLowered({ x }, (builder, { x: value }) => {
      if (value === undefined) throw new TypeError();
      return {
        last: softmax(builder, value, [-1]),
        first: softmax(builder, value, [0]),
        two: softmax(builder, value, [1, 2]),
        gated: glu(builder, value, 1),
        sparse: sparsemax(builder, value, -1),
      };
    });
    const odds = [1, 2, 3, 4].map((each) => Math.exp(each - 4));
    const total = odds.reduce((sum, each) => sum + each, 0);
    const pair = [1 / (1 + Math.E), Math.E / (1 + Math.E)];
    expectNear(numbersOf(outputs.last), [...pair, ...pair, ...pair, ...pair], 'last');
    expectNear(numbersOf(outputs.first), [0, 0, 0, 0, 1, 1, 1, 1], 'first');
    expectNear(
      numbersOf(outputs.two),
      [...odds, ...odds].map((each) => each / total),
      'two',
    );
    expectNear(numbersOf(outputs.gated), [sigmoid(3), 2 * sigmoid(4), 1000, 1001], 'gated');
    expectNear(numbersOf(outputs.sparse), [0, 1, 0, 1, 0, 1, 0, 1], 'sparse');
  });

  it('has no node for a linear one, and one for those that ONNX knows', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: ['N', 3] });
    expect(activation(builder, 'linear', x)).toBe(x);
    for (const name of ['relu', 'hard_sigmoid', 'hard_swish', 'selu', 'softmax']) activation(builder, name, x);
    expect(builder.graph.nodes.map(({ opType }) => opType)).toEqual([
      'Relu',
      'HardSigmoid',
      'HardSwish',
      'Selu',
      'Softmax',
    ]);
  });

  it('refuses what it does not know, by name', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: ['N', 3] });
    expect(isActivation('constructor')).toBe(false);
    const refusal = await refusalOf(() => builder.scope('dense_1', () => activation(builder, 'my_own', x)));
    expect(refusal.code).toBe('ACTIVATION_UNKNOWN');
    expect(refusal.message).toBe("dense_1 has the activation 'my_own', which is not known.");
    expect((await refusalOf(() => glu(builder, x, 1))).code).toBe('SHAPE_MISMATCH');
    expect((await refusalOf(() => sparsemax(builder, x, 0))).code).toBe('SIZE_UNKNOWN');
  });
});
