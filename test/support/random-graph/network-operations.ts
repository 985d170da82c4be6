/** Convolutions, products, pooling, normalization, reductions. */
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { operand } from './elementwise-operations.js';
import type { GraphScope, Known } from './graph-scope.js';
import type { Operation } from './operations.js';

const floats = (dims: readonly number[]) => ({ elementType: 'float32', dims }) as const;

/** Output length of a window that is moved over an axis. */
const windows = (size: number, kernel: number, stride: number, pads: number) =>
  Math.floor((size + pads - kernel) / stride) + 1;

/** Of shape [N, C, H, W] with H, W ≥ 1 and no empty axis. */
function image(scope: GraphScope): Known {
  return scope.float(4, 4, false);
}

function convolution(scope: GraphScope): void {
  const { choices } = scope;
  const x = image(scope);
  const [n = 1, channels = 1, height = 1, width = 1] = x.dims;
  const depthwise = choices.chance(0.3);
  const out = depthwise ? channels : choices.integer(1, 4);
  const [stride, pad] = [choices.integer(1, 2), choices.integer(0, 1)];
  const kernel = choices.integer(1, Math.min(3, height + 2 * pad, width + 2 * pad));
  const weights = scope.constant(scope.randomTensor('float32', [out, depthwise ? 1 : channels, kernel, kernel]));
  const bias = choices.chance(0.5) ? [scope.constant(scope.randomTensor('float32', [out]))] : [];
  const dims = [n, out, windows(height, kernel, stride, 2 * pad), windows(width, kernel, stride, 2 * pad)];
  const result = scope.emitLike('Conv', [x, weights, ...bias], floats(dims), {
    kernel_shape: attribute.ints([kernel, kernel]),
    strides: attribute.ints([stride, stride]),
    pads: attribute.ints([pad, pad, pad, pad]),
    group: attribute.int(depthwise ? channels : 1),
  });
  if (choices.chance(0.5)) afterwards(scope, result);
}

/** What usually follows: an activation, a batch normalization, or a scale and a shift per channel. */
function afterwards(scope: GraphScope, x: Known): void {
  const kind = scope.choices.integer(0, 2);
  if (kind === 0) scope.emitLike('Relu', [x], x);
  else if (kind === 1) batchNormalization(scope, x);
  else {
    const perChannel = x.dims.map((size, axis) => (axis === 1 ? size : 1)).slice(1);
    const scaled = scope.emitLike('Mul', [x, scope.constant(scope.randomTensor('float32', perChannel))], x);
    scope.emitLike('Add', [scaled, scope.constant(scope.randomTensor('float32', perChannel))], x);
  }
}

function batchNormalization(scope: GraphScope, x: Known): void {
  const channels = x.dims[1] ?? 1;
  const vectors = [0, 1, 2].map(() => scope.constant(scope.randomTensor('float32', [channels])));
  const variance = Tensor.fromNumbers(
    'float32',
    [channels],
    Array.from({ length: channels }, () => scope.choices.integer(1, 4) / 2),
  );
  scope.emitLike('BatchNormalization', [x, ...vectors, scope.constant(variance)], x, {
    epsilon: attribute.float(1e-3),
  });
}

function pooling(scope: GraphScope): void {
  const { choices } = scope;
  const x = image(scope);
  const [n = 1, channels = 1, height = 1, width = 1] = x.dims;
  if (choices.chance(0.3)) {
    scope.emitLike(choices.of(['GlobalAveragePool', 'GlobalMaxPool']), [x], floats([n, channels, 1, 1]));
    return;
  }
  const kernel = choices.integer(1, Math.min(2, height, width));
  const stride = choices.integer(1, 2);
  scope.emitLike(
    choices.of(['MaxPool', 'AveragePool']),
    [x],
    floats([n, channels, windows(height, kernel, stride, 0), windows(width, kernel, stride, 0)]),
    {
      kernel_shape: attribute.ints([kernel, kernel]),
      strides: attribute.ints([stride, stride]),
    },
  );
}

function matrixProduct(scope: GraphScope): void {
  const x = scope.float(2, 4, false);
  const [inner, outer] = [x.dims.at(-1) ?? 1, scope.choices.integer(1, 4)];
  const product = scope.emitLike(
    'MatMul',
    [x, scope.constant(scope.randomTensor('float32', [inner, outer]))],
    floats([...x.dims.slice(0, -1), outer]),
  );
  if (scope.choices.chance(0.5))
    scope.emitLike('Add', [product, scope.constant(scope.randomTensor('float32', [outer]))], product);
}

function gemm(scope: GraphScope): void {
  const { choices } = scope;
  const x = scope.float(2, 2, false);
  const [rows = 1, inner = 1] = x.dims;
  const outer = choices.integer(1, 4);
  const transposed = choices.chance(0.5);
  const weights = scope.constant(scope.randomTensor('float32', transposed ? [outer, inner] : [inner, outer]));
  // Before version 11 the third input cannot be left out.
  const bias = scope.opset < 11 || choices.chance(0.6) ? [scope.constant(scope.randomTensor('float32', [outer]))] : [];
  scope.emitLike('Gemm', [x, weights, ...bias], floats([rows, outer]), { transB: attribute.int(transposed ? 1 : 0) });
}

function reduction(scope: GraphScope): void {
  const { choices } = scope;
  const x = scope.float(1, 4, false);
  const opType = choices.of(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin']);
  const axis = choices.integer(-x.dims.length, x.dims.length - 1);
  const front = axis < 0 ? axis + x.dims.length : axis;
  const keepsDims = choices.chance(0.5);
  const dims = keepsDims
    ? x.dims.map((size, index) => (index === front ? 1 : size))
    : x.dims.filter((_, index) => index !== front);
  const keepdims = attribute.int(keepsDims ? 1 : 0);
  const axesAreInput = scope.opset >= (opType === 'ReduceSum' ? 13 : 18);
  if (axesAreInput) scope.emitLike(opType, [x, scope.int64(axis)], floats(dims), { keepdims });
  else
    scope.emitLike(opType, [x], floats(dims), {
      keepdims,
      axes: attribute.ints([axesMayBeNegative(scope) ? axis : front]),
    });
}

function axesMayBeNegative(scope: GraphScope): boolean {
  return scope.opset >= 11;
}

/** Spelled out as exporters do. */
function layerNormalization(scope: GraphScope): void {
  if (scope.opset >= 18) return;
  const x = scope.float(2, 4, false);
  const axes = attribute.ints([x.dims.length - 1]);
  const reduced = floats(x.dims.map((size, axis) => (axis === x.dims.length - 1 ? 1 : size)));
  const mean = (of: Known) => scope.emitLike('ReduceMean', [of], reduced, { axes });
  const number = (value: number) => scope.constant(Tensor.scalar('float32', value));
  const centred = scope.emitLike('Sub', [x, mean(x)], x);
  const variance = mean(scope.emitLike('Pow', [centred, number(2)], x));
  const deviation = scope.emitLike('Sqrt', [scope.emitLike('Add', [variance, number(1e-3)], reduced)], reduced);
  const normal = scope.emitLike('Div', [centred, deviation], x);
  const vector = () => scope.constant(scope.randomTensor('float32', x.dims.slice(-1)));
  scope.emitLike('Add', [scope.emitLike('Mul', [normal, vector()], x), vector()], x);
}

export const NETWORK_OPERATIONS: readonly Operation[] = [
  { add: convolution },
  { add: convolution },
  { add: pooling },
  { add: matrixProduct },
  { add: gemm },
  { add: reduction },
  { add: layerNormalization },
  { since: 9, add: (scope) => batchNormalization(scope, scope.float(2, 4, false)) },
  {
    add: (scope) => {
      const x = scope.float(1, 4, false);
      const axis = scope.choices.integer(0, x.dims.length - 1);
      scope.emitLike(scope.choices.of(['Softmax', 'LogSoftmax']), [x], x, { axis: attribute.int(axis) });
    },
  },
  {
    add: (scope) => {
      const x = scope.float();
      const others = Array.from({ length: scope.choices.integer(0, 2) }, () =>
        scope.pick(
          ({ elementType, dims }) => elementType === 'float32' && String(dims) === String(x.dims),
          'float32',
          x.dims,
        ),
      );
      scope.emitLike('Sum', [x, ...others], x);
    },
  },
  { add: (scope) => void operand(scope, scope.float()) },
];
