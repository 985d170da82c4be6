/**
 * Activation functions, with the formulas of Keras and TensorFlow. What has a number beside x (a slope, a threshold) is a function of its
 * own; `activation` finds any by the name that Keras serializes.
 */
import { attribute } from '../ir/attribute.js';
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import { binary, clip, compare, unary, variadic, where } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { split } from './rearrange.js';
import { cumulativeSum, reduce } from './reduce.js';
import { normalizedAxis, rankOf, requiredSize } from './shape.js';

export interface ActivationOptions {
  /** The Keras whose formulas hold: hard_sigmoid changed with 3. Default 3. */
  readonly kerasMajorVersion?: 1 | 2 | 3;
}

type Activation = (builder: GraphBuilder, x: Value, options: ActivationOptions) => Value;

/** By the names that Keras 2 and 3 serialize, with the defaults that these names stand for. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  celu: (builder, x) => celu(builder, x, 1),
  elu: (builder, x) => elu(builder, x, 1),
  exponential: (builder, x) => unary(builder, 'Exp', x),
  gelu: (builder, x) => gelu(builder, x, false),
  glu: (builder, x) => glu(builder, x, -1),
  hard_shrink: (builder, x) => shrink(builder, x, 0.5, 0),
  hard_sigmoid: (builder, x, options) => hardSigmoid(builder, x, hardSigmoidSlope(options)),
  hard_silu: hardSwish,
  hard_swish: hardSwish,
  hard_tanh: (builder, x) => clip(builder, x, -1, 1),
  leaky_relu: (builder, x) => leakyRelu(builder, x, 0.2),
  linear: (_, x) => x,
  log_sigmoid: (builder, x) => unary(builder, 'Neg', unary(builder, 'Softplus', unary(builder, 'Neg', x))),
  log_softmax: (builder, x) => logSoftmax(builder, x, -1),
  mish: (builder, x) => binary(builder, 'Mul', x, unary(builder, 'Tanh', unary(builder, 'Softplus', x))),
  relu: (builder, x) => unary(builder, 'Relu', x),
  relu6: (builder, x) => clip(builder, x, 0, 6),
  selu,
  sigmoid: (builder, x) => unary(builder, 'Sigmoid', x),
  silu: swish,
  soft_shrink: (builder, x) => shrink(builder, x, 0.5, 0.5),
  softmax: (builder, x) => softmax(builder, x, [-1]),
  softmax_v2: (builder, x) => softmax(builder, x, [-1]),
  softplus: (builder, x) => unary(builder, 'Softplus', x),
  softsign: (builder, x) => unary(builder, 'Softsign', x),
  sparse_plus: sparsePlus,
  sparse_sigmoid: (builder, x) => hardSigmoid(builder, x, 0.5),
  sparsemax: (builder, x) => sparsemax(builder, x, -1),
  squareplus: (builder, x) => squareplus(builder, x, 4),
  swish,
  tanh: (builder, x) => unary(builder, 'Tanh', x),
  tanh_shrink: (builder, x) => binary(builder, 'Sub', x, unary(builder, 'Tanh', x)),
};

export function isActivation(name: string): boolean {
  return Object.hasOwn(ACTIVATIONS, name);
}

/**
 * @param name as Keras serializes it: 'relu', 'hard_sigmoid'; 'linear' is `x` itself
 * @throws LoweringError ACTIVATION_UNKNOWN
 */
export function activation(builder: GraphBuilder, name: string, x: Value, options: ActivationOptions = {}): Value {
  const lower = isActivation(name) ? ACTIVATIONS[name] : undefined;
  if (lower !== undefined) return lower(builder, x, options);
  throw new LoweringError({
    code: 'ACTIVATION_UNKNOWN',
    message: `${builder.path === '' ? 'A layer' : builder.path} has the activation '${name}', which is not known.`,
    advice: `Known are ${Object.keys(ACTIVATIONS).join(', ')}. Write the model with one of these, or as layers.`,
  });
}

/** 1/6 since Keras 3, 0.2 before: both halves of the axis of symmetry are 0.5. */
export function hardSigmoidSlope({ kerasMajorVersion = 3 }: ActivationOptions): number {
  return kerasMajorVersion === 3 ? 1 / 6 : 0.2;
}

/** clip(slope · x + 0.5) to [0, 1]. */
export function hardSigmoid(builder: GraphBuilder, x: Value, slope: number): Value {
  const attributes = { alpha: attribute.float(slope), beta: attribute.float(0.5) };
  return builder.node('HardSigmoid', [x], typeOf(x), { attributes });
}

/** x · clip(x + 3, 0, 6) / 6: one operator since opset 14, which onnxruntime has a kernel for. */
export function hardSwish(builder: GraphBuilder, x: Value): Value {
  return builder.node('HardSwish', [x], typeOf(x));
}

/** x · sigmoid(x). */
export function swish(builder: GraphBuilder, x: Value): Value {
  return binary(builder, 'Mul', x, unary(builder, 'Sigmoid', x));
}

export interface ReluOptions {
  /** What lies above becomes this. Default no limit. */
  readonly maxValue?: number;
  /** Of what lies below the threshold. Default 0. */
  readonly negativeSlope?: number;
  /** Default 0. */
  readonly threshold?: number;
}

/** Keras's: x above the threshold and at most `maxValue`, else negativeSlope · (x - threshold). */
export function relu(builder: GraphBuilder, x: Value, options: ReluOptions = {}): Value {
  const { maxValue, negativeSlope = 0, threshold = 0 } = options;
  if (negativeSlope !== 0 && maxValue === undefined && threshold === 0) return leakyRelu(builder, x, negativeSlope);
  const above = threshold === 0 ? rectified(builder, x, maxValue) : overThreshold(builder, x, threshold, maxValue);
  if (negativeSlope === 0) return above;
  const number = (value: number) => builder.scalar(value, elementTypeOf(x));
  const distance = threshold === 0 ? x : binary(builder, 'Sub', x, number(threshold));
  const below = variadic(builder, 'Min', [distance, number(0)]);
  return binary(builder, 'Add', above, binary(builder, 'Mul', below, number(negativeSlope)));
}

function rectified(builder: GraphBuilder, x: Value, maxValue: number | undefined): Value {
  return maxValue === undefined ? unary(builder, 'Relu', x) : clip(builder, x, 0, maxValue);
}

function overThreshold(builder: GraphBuilder, x: Value, threshold: number, maxValue: number | undefined): Value {
  const passed = thresholded(builder, x, threshold, 0);
  return maxValue === undefined ? passed : clip(builder, passed, 0, maxValue);
}

/** x where it is greater than `threshold`, else `value`. */
export function thresholded(builder: GraphBuilder, x: Value, threshold: number, value: number): Value {
  const number = (each: number) => builder.scalar(each, elementTypeOf(x));
  return where(builder, compare(builder, 'Greater', x, number(threshold)), x, number(value));
}

/** x above 0, else slope · x. */
export function leakyRelu(builder: GraphBuilder, x: Value, slope: number): Value {
  return builder.node('LeakyRelu', [x], typeOf(x), { attributes: { alpha: attribute.float(slope) } });
}

/** x above 0, else slope · x. @param slope broadcasts to the shape of x */
export function prelu(builder: GraphBuilder, x: Value, slope: Value): Value {
  return builder.node('PRelu', [x, slope], typeOf(x));
}

/** x above 0, else alpha · (exp(x) - 1). */
export function elu(builder: GraphBuilder, x: Value, alpha: number): Value {
  return builder.node('Elu', [x], typeOf(x), { attributes: { alpha: attribute.float(alpha) } });
}

/** max(x, 0) + alpha · (exp(min(x, 0) / alpha) - 1). */
export function celu(builder: GraphBuilder, x: Value, alpha: number): Value {
  if (alpha === 1) return elu(builder, x, 1);
  return builder.node('Celu', [x], typeOf(x), { attributes: { alpha: attribute.float(alpha) } });
}

/** scale · elu(x, alpha), with the constants of the paper, to float32. */
export function selu(builder: GraphBuilder, x: Value): Value {
  const attributes = {
    alpha: attribute.float(1.6732632423543772),
    gamma: attribute.float(1.0507009873554805),
  };
  return builder.node('Selu', [x], typeOf(x), { attributes });
}

/** x · (1 + erf(x / √2)) / 2, or with tanh(√(2/π) · (x + 0.044715 · x³)) in place of erf: spelled as runtimes and passes look for it. */
export function gelu(builder: GraphBuilder, x: Value, approximate: boolean): Value {
  const number = (value: number) => builder.scalar(value, elementTypeOf(x));
  const curve = approximate
    ? unary(builder, 'Tanh', binary(builder, 'Mul', cubic(builder, x), number(Math.sqrt(2 / Math.PI))))
    : unary(builder, 'Erf', binary(builder, 'Div', x, number(Math.SQRT2)));
  const product = binary(builder, 'Mul', x, binary(builder, 'Add', curve, number(1)));
  return binary(builder, 'Mul', product, number(0.5));
}

function cubic(builder: GraphBuilder, x: Value): Value {
  const number = (value: number) => builder.scalar(value, elementTypeOf(x));
  const cube = binary(builder, 'Mul', binary(builder, 'Mul', x, x), x);
  return binary(builder, 'Add', x, binary(builder, 'Mul', cube, number(0.044715)));
}

/** The first half along an axis, times the sigmoid of the second. */
export function glu(builder: GraphBuilder, x: Value, axis: number): Value {
  const size = requiredSize(x, axis, 'glu');
  if (size % 2 !== 0) {
    throw new LoweringError({
      code: 'SHAPE_MISMATCH',
      message: `glu halves dimension ${axis}, whose size is ${size}.`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  const [a, b] = split(builder, x, axis, [size / 2, size / 2]) as [Value, Value];
  return binary(builder, 'Mul', a, unary(builder, 'Sigmoid', b));
}

/** x + bias below -threshold, x - bias above threshold, else 0. */
export function shrink(builder: GraphBuilder, x: Value, threshold: number, bias: number): Value {
  const attributes = { bias: attribute.float(bias), lambd: attribute.float(threshold) };
  return builder.node('Shrink', [x], typeOf(x), { attributes });
}

/** 0 up to -1, (x + 1)² / 4 between -1 and 1, x from 1. */
function sparsePlus(builder: GraphBuilder, x: Value): Value {
  const number = (value: number) => builder.scalar(value, elementTypeOf(x));
  const raised = clip(builder, binary(builder, 'Add', x, number(1)), 0, undefined);
  const parabola = binary(builder, 'Mul', binary(builder, 'Mul', raised, raised), number(0.25));
  return where(builder, compare(builder, 'Less', x, number(1)), parabola, x);
}

/** (x + √(x² + b)) / 2. */
export function squareplus(builder: GraphBuilder, x: Value, b: number): Value {
  const number = (value: number) => builder.scalar(value, elementTypeOf(x));
  const root = unary(builder, 'Sqrt', binary(builder, 'Add', binary(builder, 'Mul', x, x), number(b)));
  return binary(builder, 'Mul', binary(builder, 'Add', x, root), number(0.5));
}

/** Over all elements along `axes`: exp(x) / Σ exp(x), its largest element taken out first. */
export function softmax(builder: GraphBuilder, x: Value, axes: readonly number[]): Value {
  const [axis] = axes;
  if (axes.length === 1 && axis !== undefined) {
    return builder.node('Softmax', [x], typeOf(x), {
      attributes: { axis: attribute.int(normalizedAxis(axis, rankOf(x))) },
    });
  }
  const largest = reduce(builder, 'ReduceMax', x, axes, true);
  const powers = unary(builder, 'Exp', binary(builder, 'Sub', x, largest));
  return binary(builder, 'Div', powers, reduce(builder, 'ReduceSum', powers, axes, true));
}

/** log(softmax(x)) along one axis. */
export function logSoftmax(builder: GraphBuilder, x: Value, axis: number): Value {
  return builder.node('LogSoftmax', [x], typeOf(x), {
    attributes: { axis: attribute.int(normalizedAxis(axis, rankOf(x))) },
  });
}

/**
 * max(x - τ, 0), after Martins and Astudillo 2016: with x sorted downwards, the k first are those with k · x_k + 1 above their sum. As
 * Keras has it, τ is (the sum of their cumulative sums - 1) / k; the paper takes the last of these sums.
 * @throws LoweringError SIZE_UNKNOWN
 */
export function sparsemax(builder: GraphBuilder, x: Value, axis: number): Value {
  const type = typeOf(x);
  const at = normalizedAxis(axis, type.shape.length);
  const size = requiredSize(x, at, 'sparsemax');
  const number = (value: number) => builder.scalar(value, type.elementType);
  const [sorted] = builder.nodes('TopK', [x, builder.int64([size])], [type, { ...type, elementType: 'int64' }], {
    attributes: { axis: attribute.int(at) },
  }) as [Value, Value];
  const sums = cumulativeSum(builder, sorted, at);
  const dims = type.shape.map((_, index) => (index === at ? size : 1));
  const counts = Array.from({ length: size }, (_, index) => index + 1);
  const ranks = builder.constant(Tensor.fromNumbers(type.elementType, dims, counts));
  const excess = binary(builder, 'Div', binary(builder, 'Sub', sums, number(1)), ranks);
  const isSupport = compare(builder, 'Greater', binary(builder, 'Sub', sorted, excess), number(0));
  const count = reduce(builder, 'ReduceSum', where(builder, isSupport, number(1), number(0)), [at], true);
  const total = reduce(builder, 'ReduceSum', where(builder, isSupport, sums, number(0)), [at], true);
  const threshold = binary(builder, 'Div', binary(builder, 'Sub', total, number(1)), count);
  return clip(builder, binary(builder, 'Sub', x, threshold), 0, undefined);
}
