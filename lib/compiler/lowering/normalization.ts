/** Layers that take the mean out of their input and divide by its spread, with the formulas of Keras and TensorFlow. */
import { attribute } from '../ir/attribute.js';
import { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { binary, unary, variadic } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { reshape, reshapeAs, transpose } from './rearrange.js';
import { moments, reduce } from './reduce.js';
import { normalizedAxis, rankOf, requiredSize, type Shape, shapeOf, staticCount } from './shape.js';

export interface BatchNormalizationOptions {
  /** The channels' dimension. Default -1. */
  readonly axis?: number;
  readonly epsilon: number;
  /** Each [channels]. */
  readonly mean: Value;
  readonly variance: Value;
  /** Default 1. */
  readonly gamma?: Value;
  /** Default 0. */
  readonly beta?: Value;
}

/** gamma · (x - mean) / √(variance + epsilon) + beta, per channel, with statistics of the training. */
export function batchNormalization(builder: GraphBuilder, x: Value, options: BatchNormalizationOptions): Value {
  const { axis = -1, epsilon, mean, variance } = options;
  const rank = rankOf(x);
  const channels = staticCount(shapeOf(mean)) ?? requiredSize(x, axis, 'BatchNormalization');
  const constant = (value: number) => filled(builder, elementTypeOf(mean), channels, value);
  const gamma = options.gamma ?? constant(1);
  const beta = options.beta ?? constant(0);
  return withAxisSecond(builder, x, normalizedAxis(axis, rank), (data) => {
    const attributes = { epsilon: attribute.float(epsilon) };
    return builder.node('BatchNormalization', [data, gamma, beta, mean, variance], typeOf(data), { attributes });
  });
}

function filled(builder: GraphBuilder, elementType: Tensor['elementType'], count: number, value: number): Value {
  return builder.constant(Tensor.fromNumbers(elementType, [count], new Float32Array(count).fill(value)));
}

/** As ONNX wants channels, and back. A tensor whose first dimension is `axis` gets one in front. */
function withAxisSecond(builder: GraphBuilder, x: Value, axis: number, lower: (data: Value) => Value): Value {
  if (axis === 0) {
    const front = builder.node('Unsqueeze', [x, builder.int64([0])], {
      elementType: elementTypeOf(x),
      shape: [1, ...shapeOf(x)],
    });
    const back = typeOf(x);
    return builder.node('Squeeze', [lower(front), builder.int64([0])], back);
  }
  const order = shapeOf(x).map((_, index) => index);
  const permutation = [0, axis, ...order.filter((index) => index !== 0 && index !== axis)];
  return transpose(builder, lower(transpose(builder, x, permutation)), inverse(permutation));
}

function inverse(permutation: readonly number[]): number[] {
  const result = permutation.map(() => 0);
  for (const [index, axis] of permutation.entries()) result[axis] = index;
  return result;
}

export interface LayerNormalizationOptions {
  /** What is normalized together, in any order; they may count from the end. */
  readonly axes: readonly number[];
  readonly epsilon: number;
  /** Of the sizes of `axes`, in ascending order of these. Default 1. */
  readonly gamma?: Value;
  /** Likewise. Default 0. */
  readonly beta?: Value;
}

/**
 * gamma · (x - mean) / √(variance + epsilon) + beta, with the statistics of each group of elements. Axes that are not the last ones are
 * moved there and back, which onnxruntime runs faster than the formula spelled out.
 */
export function layerNormalization(builder: GraphBuilder, x: Value, options: LayerNormalizationOptions): Value {
  const { elementType, shape } = typeOf(x);
  const axes = sortedAxes(options.axes, shape.length);
  const sizes = axes.map((axis) => shape[axis]);
  const dims = staticDims(sizes);
  if (options.gamma === undefined && dims === undefined) return spelledOut(builder, x, axes, options);
  const count = staticCount(sizes) ?? 0;
  const gamma = options.gamma ?? builder.constant(ones(elementType, dims ?? [], count));
  const permutation = [...shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis)), ...axes];
  const moved = transpose(builder, x, permutation);
  const attributes = {
    axis: attribute.int(shape.length - axes.length),
    epsilon: attribute.float(options.epsilon),
  };
  const inputs = options.beta === undefined ? [moved, gamma] : [moved, gamma, options.beta];
  const normalized = builder.node('LayerNormalization', inputs, typeOf(moved), { attributes });
  return transpose(builder, normalized, inverse(permutation));
}

function ones(elementType: Tensor['elementType'], dims: readonly number[], count: number): Tensor {
  return Tensor.fromNumbers(elementType, dims, new Float32Array(count).fill(1));
}

/** Where the sizes are open, and nothing says by what to multiply. */
function spelledOut(
  builder: GraphBuilder,
  x: Value,
  axes: readonly number[],
  { epsilon, beta }: LayerNormalizationOptions,
): Value {
  const { mean, variance } = moments(builder, x, axes);
  const centred = binary(builder, 'Sub', x, mean);
  const normalized = binary(builder, 'Div', centred, deviation(builder, variance, epsilon));
  return beta === undefined ? normalized : binary(builder, 'Add', normalized, alongAxes(builder, beta, x, axes));
}

/** x · gamma / √(variance + epsilon): what Keras 3 calls LayerNormalization with rms_scaling. The mean stays in. */
export function varianceScaling(
  builder: GraphBuilder,
  x: Value,
  { axes, epsilon, gamma }: Omit<LayerNormalizationOptions, 'beta'>,
): Value {
  const sorted = sortedAxes(axes, rankOf(x));
  const { variance } = moments(builder, x, sorted);
  const scaled = binary(builder, 'Div', x, deviation(builder, variance, epsilon));
  return gamma === undefined ? scaled : binary(builder, 'Mul', scaled, alongAxes(builder, gamma, x, sorted));
}

/** scale · x / √(mean(x²) + epsilon). @param options.scale multiplied as NumPy broadcasts it, to the last dimensions */
export function rmsNormalization(
  builder: GraphBuilder,
  x: Value,
  options: { readonly axes: readonly number[]; readonly epsilon: number; readonly scale?: Value },
): Value {
  const squares = binary(builder, 'Pow', x, builder.scalar(2, elementTypeOf(x)));
  const mean = reduce(builder, 'ReduceMean', squares, options.axes, true);
  const normalized = binary(builder, 'Div', x, deviation(builder, mean, options.epsilon));
  return options.scale === undefined ? normalized : binary(builder, 'Mul', normalized, options.scale);
}

export interface GroupNormalizationOptions {
  /** The channels' dimension. Default -1. */
  readonly axis?: number;
  /** Divides the number of channels; -1 makes each channel a group. */
  readonly groups: number;
  readonly epsilon: number;
  /** Each [channels]. */
  readonly gamma?: Value;
  readonly beta?: Value;
}

/**
 * gamma · (x - mean) / √(variance + epsilon) + beta, with the statistics of each sample and group of neighbouring channels over
 * everything but the first dimension (Wu and He 2018).
 * @throws LoweringError SIZE_UNKNOWN, GROUPS
 */
export function groupNormalization(builder: GraphBuilder, x: Value, options: GroupNormalizationOptions): Value {
  const axis = normalizedAxis(options.axis ?? -1, rankOf(x));
  const channels = requiredSize(x, axis, 'GroupNormalization');
  const groups = options.groups === -1 ? channels : options.groups;
  if (groups < 1 || channels % groups !== 0) {
    throw new LoweringError({
      code: 'GROUPS',
      message: `${channels} channels do not make ${groups} groups.`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  return withAxisSecond(builder, x, axis, (data) => {
    const normalized = reshapeAs(builder, instances(builder, data, groups, options.epsilon), data);
    const perChannel = (vector: Value) =>
      reshape(builder, vector, [
        channels,
        ...shapeOf(data)
          .slice(2)
          .map(() => 1),
      ]);
    const { gamma, beta } = options;
    const scaled = gamma === undefined ? normalized : binary(builder, 'Mul', normalized, perChannel(gamma));
    return beta === undefined ? scaled : binary(builder, 'Add', scaled, perChannel(beta));
  });
}

/** [N, C, …] → [N, groups, …], each group with mean 0 and variance 1. */
function instances(builder: GraphBuilder, x: Value, groups: number, epsilon: number): Value {
  const [batch, ...rest] = shapeOf(x);
  const count = staticCount(rest);
  const each: Dimension = count === undefined ? undefined : count / groups;
  // A size of 0 copies the input's.
  const grouped = builder.node('Reshape', [x, builder.int64([0, groups, -1])], {
    elementType: elementTypeOf(x),
    shape: [batch, groups, each],
  });
  const [scale, shift] = [1, 0].map((value) => filled(builder, elementTypeOf(x), groups, value)) as [Value, Value];
  const attributes = { epsilon: attribute.float(epsilon) };
  return builder.node('InstanceNormalization', [grouped, scale, shift], typeOf(grouped), { attributes });
}

/** x / max(‖x‖₂, minimum) over `axes`: Keras 3 has a minimum of 1e-12, `tf.linalg.l2_normalize` the root of its epsilon. */
export function unitNormalization(builder: GraphBuilder, x: Value, axes: readonly number[], minimum: number): Value {
  const norm = reduce(builder, 'ReduceL2', x, axes, true);
  return binary(builder, 'Div', x, variadic(builder, 'Max', [norm, builder.scalar(minimum, elementTypeOf(x))]));
}

function deviation(builder: GraphBuilder, variance: Value, epsilon: number): Value {
  return unary(builder, 'Sqrt', binary(builder, 'Add', variance, builder.scalar(epsilon, elementTypeOf(variance))));
}

function sortedAxes(axes: readonly number[], rank: number): number[] {
  return [...new Set(axes.map((axis) => normalizedAxis(axis, rank)))].sort((a, b) => a - b);
}

function staticDims(sizes: Shape): readonly number[] | undefined {
  return staticCount(sizes) === undefined ? undefined : (sizes as readonly number[]);
}

/** A parameter of the sizes of `axes`, with a 1 for each dimension of `x` that is not among them. */
function alongAxes(builder: GraphBuilder, parameter: Value, x: Value, axes: readonly number[]): Value {
  const sizes = [...shapeOf(parameter)];
  const dims = shapeOf(x).map((_, axis) => (axes.includes(axis) ? Number(sizes.shift()) : 1));
  return reshape(builder, parameter, dims);
}
