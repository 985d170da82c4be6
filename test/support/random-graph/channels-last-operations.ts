/** What converters from channels-last frameworks write: a Transpose in front of and behind all that wants its channels first. */
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { elementCount, Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { GraphScope, Known } from './graph-scope.js';
import type { Operation } from './operations.js';

const floats = (dims: readonly number[]) => ({ elementType: 'float32', dims }) as const;
const at = (dims: readonly number[], axis: number) => dims[axis] ?? 1;

function transposed(scope: GraphScope, x: Known, order: readonly number[]): Known {
  const dims = order.map((axis) => at(x.dims, axis));
  return scope.emitLike('Transpose', [x], { ...x, dims }, { perm: attribute.ints(order) });
}

const channelsFirst = (scope: GraphScope, x: Known) =>
  transposed(scope, x, x.dims.length === 4 ? [0, 3, 1, 2] : [0, 2, 1]);
const channelsLast = (scope: GraphScope, x: Known) =>
  transposed(scope, x, x.dims.length === 4 ? [0, 2, 3, 1] : [0, 2, 1]);

/** Of shape [N, H, W, C], the latest more often than not: networks are deep. */
function image(scope: GraphScope): Known {
  const fits = ({ elementType, dims }: Known) =>
    elementType === 'float32' && dims.length === 4 && !dims.includes(0) && elementCount(dims) <= 1024;
  const last = scope.own.filter(fits).at(-1);
  return last !== undefined && scope.choices.chance(0.6) ? last : scope.pick(fits, 'float32', [1, 4, 4, 3]);
}

function convolution(scope: GraphScope): void {
  const { choices } = scope;
  const x = image(scope);
  const [n, height, width, channels] = [0, 1, 2, 3].map((axis) => at(x.dims, axis)) as [number, number, number, number];
  const depthwise = choices.chance(0.3);
  const out = depthwise ? channels : choices.integer(1, 4);
  const kernel = choices.integer(1, 3);
  const stride = choices.integer(1, 2);
  const weights = scope.constant(scope.randomTensor('float32', [out, depthwise ? 1 : channels, kernel, kernel]));
  const bias = choices.chance(0.4) ? [scope.constant(scope.randomTensor('float32', [out]))] : [];
  const first = channelsFirst(scope, x);
  const result = scope.emitLike(
    'Conv',
    [first, weights, ...bias],
    floats([n, out, Math.ceil(height / stride), Math.ceil(width / stride)]),
    {
      kernel_shape: attribute.ints([kernel, kernel]),
      strides: attribute.ints([stride, stride]),
      auto_pad: attribute.string('SAME_UPPER'),
      group: attribute.int(depthwise ? channels : 1),
    },
  );
  afterwards(scope, channelsLast(scope, result));
}

/** What usually follows: a bias, a batch normalization, an activation. */
function afterwards(scope: GraphScope, x: Known): void {
  const { choices } = scope;
  const channels = x.dims.slice(-1);
  if (choices.chance(0.4)) {
    const shape = choices.of([channels, [1, 1, ...channels], []]);
    x = scope.emitLike(choices.of(['Add', 'Mul', 'Sub']), [x, scope.constant(scope.randomTensor('float32', shape))], x);
  }
  if (choices.chance(0.4)) x = scope.emitLike(choices.of(['Relu', 'Sigmoid', 'Tanh', 'Elu']), [x], x);
  if (choices.chance(0.2)) {
    const slope = choices.of([channels, [1, ...channels], x.dims.slice(1)]);
    scope.emitLike('PRelu', [x, scope.constant(scope.randomTensor('float32', slope))], x);
  }
}

function pool(scope: GraphScope): void {
  const x = image(scope);
  const [n, height, width, channels] = [0, 1, 2, 3].map((axis) => at(x.dims, axis)) as [number, number, number, number];
  const first = channelsFirst(scope, x);
  if (scope.choices.chance(0.3)) {
    channelsLast(scope, scope.emitLike('GlobalAveragePool', [first], floats([n, channels, 1, 1])));
    return;
  }
  const result = scope.emitLike(
    scope.choices.of(['MaxPool', 'AveragePool']),
    [first],
    floats([n, channels, Math.ceil(height / 2), Math.ceil(width / 2)]),
    {
      kernel_shape: attribute.ints([2, 2]),
      strides: attribute.ints([2, 2]),
      auto_pad: attribute.string('SAME_UPPER'),
    },
  );
  channelsLast(scope, result);
}

/** x · sigmoid(w · mean(x)), spelled with [N, 1, 1, C]. */
function squeezeAndExcite(scope: GraphScope): void {
  const x = image(scope);
  const [n, channels] = [at(x.dims, 0), at(x.dims, 3)];
  const keeps = scope.choices.chance(0.5);
  let mean = scope.emitLike('ReduceMean', [x, scope.int64(1, 2)], floats(keeps ? [n, 1, 1, channels] : [n, channels]), {
    keepdims: attribute.int(keeps ? 1 : 0),
  });
  if (!keeps) {
    mean = scope.choices.chance(0.5)
      ? scope.emitLike('Reshape', [mean, scope.int64(n, 1, 1, channels)], floats([n, 1, 1, channels]))
      : scope.emitLike('Unsqueeze', [mean, scope.int64(1, 2)], floats([n, 1, 1, channels]));
  }
  const weights = scope.constant(scope.randomTensor('float32', [channels, channels, 1, 1]));
  const first = channelsFirst(scope, mean);
  const gate = channelsLast(scope, scope.emitLike('Conv', [first, weights], first));
  scope.emitLike('Mul', [scope.emitLike('Sigmoid', [gate], gate), x], x);
}

function residual(scope: GraphScope): void {
  const x = image(scope);
  const fits = ({ elementType, dims }: Known) => elementType === 'float32' && String(dims) === String(x.dims);
  scope.emitLike('Add', [x, scope.pick(fits, 'float32', x.dims)], x);
}

function concat(scope: GraphScope): void {
  const x = image(scope);
  const axis = scope.choices.of([3, 3, 3, 1, 2, 0]);
  const fits = ({ elementType, dims }: Known) =>
    elementType === 'float32' &&
    dims.length === 4 &&
    dims.every((size, index) => index === axis || size === x.dims[index]);
  const other = scope.pick(fits, 'float32', x.dims);
  const dims = x.dims.map((size, index) => (index === axis ? size + at(other.dims, axis) : size));
  scope.emitLike('Concat', [x, other], floats(dims), { axis: attribute.int(scope.choices.of([axis, axis - 4])) });
}

function pad(scope: GraphScope): void {
  const x = image(scope);
  const widths = [0, 1, 0, 0, 0, 1, 1, 0];
  const output = x.dims.map((size, axis) => size + (widths[axis] ?? 0) + (widths[axis + 4] ?? 0));
  const value = scope.constant(Tensor.scalar('float32', scope.choices.of([0, 0, 0.5])));
  if (scope.choices.chance(0.5)) scope.emitLike('Pad', [x, scope.int64(...widths), value], floats(output));
  else scope.emitLike('Pad', [x, scope.int64(1, 0, 1, 1), value, scope.int64(1, 2)], floats(output));
}

function resize(scope: GraphScope): void {
  const x = image(scope);
  const dims = [at(x.dims, 0), 2 * at(x.dims, 1), 2 * at(x.dims, 2), at(x.dims, 3)];
  if (elementCount(dims) > 1024) return;
  const attributes = {
    mode: attribute.string('nearest'),
    coordinate_transformation_mode: attribute.string('asymmetric'),
    nearest_mode: attribute.string('floor'),
  };
  const scales = scope.parameter(Tensor.fromNumbers('float32', [4], [1, 2, 2, 1]));
  if (scope.choices.chance(0.5)) scope.emitLike('Resize', [x, undefined, scales], floats(dims), attributes);
  else scope.emitLike('Resize', [x, undefined, undefined, scope.int64(...dims)], floats(dims), attributes);
}

function reduction(scope: GraphScope): void {
  const { choices } = scope;
  const x = image(scope);
  const axes = choices.of([[1, 2], [-1], [1], [3, 1], [2, 3], [0], []]);
  const keeps = choices.chance(0.5);
  const front = new Set(axes.map((axis) => (axis < 0 ? axis + 4 : axis)));
  if (axes.length === 0) for (const axis of [0, 1, 2, 3]) front.add(axis);
  const dims = x.dims.flatMap((size, axis) => (front.has(axis) ? (keeps ? [1] : []) : [size]));
  const inputs = axes.length === 0 ? [x] : [x, scope.int64(...axes)];
  scope.emitLike(choices.of(['ReduceMax', 'ReduceMin']), inputs, floats(dims), {
    keepdims: attribute.int(keeps ? 1 : 0),
  });
}

function along(scope: GraphScope): void {
  const { choices } = scope;
  const x = image(scope);
  const axis = choices.integer(-4, 3);
  const front = axis < 0 ? axis + 4 : axis;
  switch (choices.integer(0, 5)) {
    case 0:
      scope.emitLike(choices.of(['Softmax', 'LogSoftmax']), [x], x, { axis: attribute.int(axis) });
      break;
    case 1: {
      const keeps = choices.chance(0.5);
      const dims = x.dims.flatMap((size, index) => (index === front ? (keeps ? [1] : []) : [size]));
      scope.emit(choices.of(['ArgMax', 'ArgMin']), [x], [{ elementType: 'int64', dims }], {
        axis: attribute.int(axis),
        keepdims: attribute.int(keeps ? 1 : 0),
      });
      break;
    }
    case 2: {
      const outputs = [floats, (dims: readonly number[]) => ({ elementType: 'int64', dims }) as const];
      const dims = x.dims.map((size, index) => (index === front ? 1 : size));
      scope.emit(
        'TopK',
        [x, scope.int64(1)],
        outputs.map((output) => output(dims)),
        { axis: attribute.int(axis) },
      );
      break;
    }
    case 3: {
      const shape = choices.of([[], [2], [1, 2]]);
      const indices = Tensor.int64(
        Array.from({ length: elementCount(shape) }, () => choices.integer(0, at(x.dims, front) - 1)),
        shape,
      );
      const dims = [...x.dims.slice(0, front), ...shape, ...x.dims.slice(front + 1)];
      scope.emitLike('Gather', [x, scope.constant(indices)], floats(dims), { axis: attribute.int(axis) });
      break;
    }
    case 4: {
      const [low, high] = [choices.of([0, 1]), at(x.dims, front)];
      const dims = x.dims.map((size, index) => (index === front ? Math.max(0, high - low) : size));
      scope.emitLike('Slice', [x, scope.int64(low), scope.int64(2 ** 31 - 1), scope.int64(axis)], floats(dims));
      break;
    }
    default: {
      const size = at(x.dims, front);
      const sizes = [Math.floor(size / 2), size - Math.floor(size / 2)];
      const outputs = sizes.map((part) => floats(x.dims.map((whole, index) => (index === front ? part : whole))));
      scope.emit('Split', [x, scope.int64(...sizes)], outputs, { axis: attribute.int(axis) });
    }
  }
}

/** Flatten, or a Reshape that joins the pixels, and a product with constants behind it. */
function dense(scope: GraphScope): void {
  const { choices } = scope;
  const x = image(scope);
  const [n, height, width, channels] = [0, 1, 2, 3].map((axis) => at(x.dims, axis)) as [number, number, number, number];
  const kind = choices.integer(0, 3);
  const outer = choices.integer(1, 3);
  if (kind === 0) {
    const rows = scope.emitLike(
      'Reshape',
      [x, scope.int64(n, height * width, channels)],
      floats([n, height * width, channels]),
    );
    if (choices.chance(0.5)) transposed(scope, rows, [0, 2, 1]);
    return;
  }
  if (kind === 1) {
    const weights = scope.constant(scope.randomTensor('float32', [channels, outer]));
    scope.emitLike('MatMul', [x, weights], floats([n, height, width, outer]));
    return;
  }
  const count = height * width * channels;
  const flat = scope.emitLike('Flatten', [x], floats([n, count]), { axis: attribute.int(1) });
  const active = choices.chance(0.5) ? scope.emitLike('Relu', [flat], flat) : flat;
  if (kind === 2) {
    const weights = scope.constant(scope.randomTensor('float32', [count, outer]));
    scope.emitLike('MatMul', [active, weights], floats([n, outer]));
    return;
  }
  const weights = scope.constant(scope.randomTensor('float32', [outer, count]));
  scope.emitLike('Gemm', [active, weights], floats([n, outer]), { transB: attribute.int(1) });
}

function normalization(scope: GraphScope): void {
  const x = image(scope);
  const vector = () => scope.constant(scope.randomTensor('float32', x.dims.slice(-1)));
  scope.emitLike('LayerNormalization', [x, vector(), vector()], x, { axis: attribute.int(-1) });
}

function batchNormalization(scope: GraphScope): void {
  const first = channelsFirst(scope, image(scope));
  const channels = at(first.dims, 1);
  const vectors = [0, 1, 2].map(() => scope.constant(scope.randomTensor('float32', [channels])));
  const variance = scope.constant(Tensor.fromNumbers('float32', [channels], new Array(channels).fill(0.5)));
  channelsLast(scope, scope.emitLike('BatchNormalization', [first, ...vectors, variance], first));
}

/** Rounded to 8 bits and back, with one scale for all or one per channel. */
function quantized(scope: GraphScope): void {
  const x = image(scope);
  const channels = at(x.dims, 3);
  const perChannel = scope.choices.chance(0.5);
  const scale = scope.parameter(
    perChannel
      ? Tensor.fromNumbers(
          'float32',
          [channels],
          Array.from({ length: channels }, (_, index) => 0.05 * (index + 1)),
        )
      : Tensor.scalar('float32', 0.1),
  );
  const zero = scope.parameter(
    perChannel ? Tensor.fromNumbers('int8', [channels], new Array(channels).fill(0)) : Tensor.scalar('int8', 3),
  );
  const axis = { axis: attribute.int(scope.choices.of([3, -1])) };
  const [rounded] = scope.emit('QuantizeLinear', [x, scale, zero], [{ elementType: 'int8', dims: x.dims }], axis);
  scope.emitLike('DequantizeLinear', [rounded, scale, zero], x, axis);
}

/** A reshaping by sizes that are taken from the picture as it runs. */
function sizesOf(scope: GraphScope): void {
  const x = image(scope);
  const [shape] = scope.emit('Shape', [x], [{ elementType: 'int64', dims: [4] }]);
  if (scope.choices.chance(0.5)) return;
  const ones = scope.constant(Tensor.fromNumbers('float32', [1, 1, 1, 1], [0.5]));
  const grid = scope.emitLike('Expand', [ones, shape], x);
  scope.emitLike('Mul', [x, grid], x);
}

function tile(scope: GraphScope): void {
  const x = image(scope);
  const repeats = [1, 1, 2, scope.choices.of([1, 2])];
  const dims = x.dims.map((size, axis) => size * at(repeats, axis));
  if (elementCount(dims) <= 1024) scope.emitLike('Tile', [x, scope.int64(...repeats)], floats(dims));
}

/** Along one axis, in three dimensions. */
function sequence(scope: GraphScope): void {
  const fits = ({ elementType, dims }: Known) =>
    elementType === 'float32' && dims.length === 3 && !dims.includes(0) && elementCount(dims) <= 1024;
  const x = scope.pick(fits, 'float32', [1, 6, 3]);
  const first = channelsFirst(scope, x);
  const [n, channels, length] = [0, 1, 2].map((axis) => at(first.dims, axis)) as [number, number, number];
  const out = scope.choices.integer(1, 4);
  const weights = scope.constant(scope.randomTensor('float32', [out, channels, 1]));
  const result = channelsLast(scope, scope.emitLike('Conv', [first, weights], floats([n, out, length])));
  if (scope.choices.chance(0.5)) {
    const kernel = scope.constant(scope.randomTensor('float32', [out, 2]));
    scope.emitLike('MatMul', [result, kernel], floats([n, length, 2]));
  }
}

export const CHANNELS_LAST_OPERATIONS: readonly Operation[] = [
  { add: convolution },
  { add: convolution },
  { add: convolution },
  { add: pool },
  { add: squeezeAndExcite },
  { add: residual },
  { add: residual },
  { add: concat },
  { add: pad },
  { add: resize },
  { add: reduction },
  { add: along },
  { add: along },
  { add: dense },
  { add: normalization },
  { add: batchNormalization },
  { add: quantized },
  { add: sizesOf },
  { add: tile },
  { add: sequence },
];
