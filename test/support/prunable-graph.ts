/**
 * Networks that fast-check makes up out of what pruning has rules for: convolutions plain, grouped and depthwise, residuals, squeeze and
 * excitation, Concat, Split and Slice of channels, shuffles, attention and feed-forward blocks, shared weights.
 */
import fc from 'fast-check';
import { attribute } from '../../lib/compiler/ir/attribute.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import { printModel } from '../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import type { Value } from '../../lib/compiler/ir/value.js';
import { toOrtFeeds } from './compare-outputs.js';
import { ModelBuilder } from './model-builder.js';
import { Choices } from './random-graph/choices.js';
import { randomFloats } from './random-numbers.js';
import { openModel } from './run-model.js';

export interface PrunableGraph {
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

export interface PrunableGraphRecipe {
  readonly kind: 'image' | 'sequence';
  readonly seeds: readonly number[];
  build(): PrunableGraph;
}

export interface PrunableGraphOptions {
  /** Weights with channels that are zero, or multiples of others. Default false. */
  readonly silent?: boolean;
}

/** Shrinks by leaving blocks out. */
export function prunableGraphs(options: PrunableGraphOptions = {}): fc.Arbitrary<PrunableGraphRecipe> {
  return fc
    .record({
      kind: fc.constantFrom('image', 'image', 'sequence'),
      seeds: fc.array(fc.nat({ max: 1_000_000 }), { minLength: 2, maxLength: 9, size: 'max' }),
    })
    .map(({ kind, seeds }) => {
      const build = () => {
        const net = new Network(options.silent ?? false);
        return kind === 'image' ? imageNetwork(seeds, net) : sequenceNetwork(seeds, net);
      };
      return { kind, seeds, build, [fc.toStringMethod]: () => printModel(build().model) };
    });
}

/** What a node by node run says of every value: no child process, as `inferTypes` would need. */
export async function typesByRunning(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<void> {
  const values = model.graph.nodes.flatMap((node) => node.outputs.filter((value) => value !== undefined));
  const outputs = [...model.graph.outputs];
  model.graph.setOutputs([...outputs, ...values.filter((value) => !value.isGraphOutput)]);
  const bytes = modelToBytes(model);
  model.graph.setOutputs(outputs);
  const session = await openModel(bytes);
  const results = await session.run(toOrtFeeds(feeds));
  await session.release();
  for (const value of values) {
    const found = results[value.name];
    if (found === undefined || !('dims' in found)) continue;
    value.type = { kind: 'tensor', elementType: found.type as 'float32', shape: [...found.dims] };
  }
}

interface Known {
  readonly value: Value;
  readonly dims: readonly number[];
}

class Network {
  readonly b = new ModelBuilder(18);
  choices = new Choices(0);
  #seed = 1;
  readonly shared = new Map<string, Value>();
  readonly #silent: boolean;

  constructor(silent: boolean) {
    this.#silent = silent;
  }

  weight(dims: readonly number[], scale = 1): Value {
    // A shared weight now and then, of those with the same dimensions.
    const key = dims.join('x');
    const known = this.shared.get(key);
    if (known !== undefined && this.choices.chance(0.15)) return known;
    const count = dims.reduce((a, b) => a * b, 1);
    const fan = dims.slice(1).reduce((a, b) => a * b, 1);
    const numbers = randomFloats(count, this.#seed++).map((number) => number * scale * Math.sqrt(3 / fan));
    const value = this.b.floats(this.#silent ? this.#silenced(numbers, dims) : numbers, dims);
    this.shared.set(key, value);
    return value;
  }

  /** Some output channels of nothing, some that are twice or half another. */
  #silenced(numbers: Float32Array, dims: readonly number[]): Float32Array {
    if (dims.length === 1) return this.choices.chance(0.5) ? numbers.map(() => 0) : numbers;
    const axis = dims.length === 2 ? 1 : 0;
    const size = dims[axis] ?? 1;
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const [target, from] = [this.choices.integer(0, size - 1), this.choices.integer(0, size - 1)];
    const factor = this.choices.of([0, 0, 1, 2, 0.5]);
    const result = Float32Array.from(numbers);
    for (const [index, number] of numbers.entries()) {
      if (Math.floor(index / inner) % size === from) result[index + (target - from) * inner] = factor * number;
    }
    return result;
  }

  conv(
    { value, dims }: Known,
    channels: number,
    options: { kernel?: number; groups?: number; stride?: number } = {},
  ): Known {
    const { kernel = 1, groups = 1, stride = 1 } = options;
    const [n = 1, c = 1, h = 1, w = 1] = dims;
    const pad = (kernel - 1) / 2;
    const inputs = [value, this.weight([channels, c / groups, kernel, kernel])];
    if (this.choices.chance(0.7)) inputs.push(this.weight([channels], 0.5));
    const out = this.b.add('Conv', inputs, {
      attributes: {
        group: attribute.int(groups),
        pads: attribute.ints([pad, pad, pad, pad]),
        strides: attribute.ints([stride, stride]),
      },
    });
    const size = (length: number) => Math.floor((length + 2 * pad - kernel) / stride) + 1;
    return { value: out, dims: [n, channels, size(h), size(w)] };
  }

  unary(known: Known, opType?: string): Known {
    const chosen = opType ?? this.choices.of(['Relu', 'HardSwish', 'Sigmoid', 'LeakyRelu', 'Tanh']);
    return { value: this.b.add(chosen, [known.value]), dims: known.dims };
  }

  dense(known: Known, width: number): Known {
    const product = this.b.add('MatMul', [known.value, this.weight([known.dims.at(-1) ?? 1, width])]);
    const value = this.choices.chance(0.7) ? this.b.add('Add', [product, this.weight([width], 0.5)]) : product;
    return { value, dims: [...known.dims.slice(0, -1), width] };
  }
}

function imageNetwork(seeds: readonly number[], net: Network): PrunableGraph {
  const dims = [2, 3, 6, 5];
  let current: Known = { value: net.b.input('x', dims), dims };
  net.choices = new Choices(seeds[0] ?? 0);
  current = net.unary(net.conv(current, net.choices.of([4, 6, 8]), { kernel: 3 }));
  const outputs: Value[] = [];
  for (const seed of seeds.slice(1)) {
    net.choices = new Choices(seed);
    current = net.choices.of(IMAGE_BLOCKS)(net, current);
    if (net.choices.chance(0.1)) outputs.push(net.conv(current, 2).value);
  }
  net.choices = new Choices(seeds.length);
  outputs.push(imageHead(net, current));
  return { model: net.b.finish(outputs), feeds: { x: Tensor.fromNumbers('float32', dims, randomFloats(180, 7)) } };
}

/** The end of a classifier: pooled or flattened, then a product. */
function imageHead(net: Network, known: Known): Value {
  const { b, choices } = net;
  const [n = 1, c = 1, h = 1, w = 1] = known.dims;
  if (choices.chance(0.5)) {
    const pooled = b.add('GlobalAveragePool', [known.value]);
    const flat = b.add('Flatten', [pooled]);
    return b.add('Gemm', [flat, net.weight([5, c]), net.weight([5])], { attributes: { transB: attribute.int(1) } });
  }
  const flat = b.add('Reshape', [known.value, b.int64([n, c * h * w])]);
  return b.add('MatMul', [flat, net.weight([c * h * w, 4])]);
}

type Block = (net: Network, known: Known) => Known;

const IMAGE_BLOCKS: readonly Block[] = [
  (net, known) =>
    net.unary(net.conv(known, net.choices.of([4, 6, 8, 9]), { kernel: 3, stride: net.choices.of([1, 1, 2]) })),
  // Depthwise separable, sometimes with two outputs for each input.
  (net, known) => {
    const channels = known.dims[1] ?? 1;
    const wide = net.conv(known, channels * net.choices.of([1, 1, 2]), { kernel: 3, groups: channels });
    return net.conv(net.unary(wide), net.choices.of([4, 8]));
  },
  // Residual.
  (net, known) => {
    const inner = net.unary(net.conv(known, net.choices.of([4, 8])));
    const outer = net.conv(inner, known.dims[1] ?? 1);
    return net.unary({ value: net.b.add('Add', [known.value, outer.value]), dims: known.dims }, 'Relu');
  },
  // Groups.
  (net, known) => {
    const channels = known.dims[1] ?? 1;
    const groups = channels % 2 === 0 ? 2 : 1;
    return net.unary(net.conv(known, groups * net.choices.of([2, 3]), { groups, kernel: 3 }));
  },
  // Squeeze and excitation.
  (net, known) => {
    const pooled: Known = {
      value: net.b.add('GlobalAveragePool', [known.value]),
      dims: [known.dims[0] ?? 1, known.dims[1] ?? 1, 1, 1],
    };
    const squeezed = net.unary(net.conv(pooled, net.choices.of([2, 3])), 'Relu');
    const gate = net.b.add('HardSigmoid', [net.conv(squeezed, known.dims[1] ?? 1).value]);
    return {
      value: net.b.add('Mul', net.choices.chance(0.5) ? [known.value, gate] : [gate, known.value]),
      dims: known.dims,
    };
  },
  // Two branches side by side, one of which may be a constant.
  (net, known) => {
    const [n = 1, , h = 1, w = 1] = known.dims;
    const left = net.unary(net.conv(known, net.choices.of([2, 3, 4])));
    const padding = net.b.add('ConstantOfShape', [net.b.int64([n, 3, h, w])]);
    const right = net.choices.chance(0.3)
      ? { value: padding, dims: [n, 3, h, w] }
      : net.conv(known, net.choices.of([2, 5]));
    const channels = (left.dims[1] ?? 0) + (right.dims[1] ?? 0);
    return {
      value: net.b.add('Concat', [left.value, right.value], { attributes: { axis: attribute.int(1) } }),
      dims: [n, channels, h, w],
    };
  },
  // Split, half of it worked on.
  (net, known) => {
    const channels = known.dims[1] ?? 1;
    const first = Math.floor(channels / 2);
    const even = channels % 2 === 0 && net.choices.chance(0.5);
    const sizes = even ? [] : [net.b.int64([first, channels - first])];
    const attributes = { axis: attribute.int(1), ...(even ? { num_outputs: attribute.int(2) } : {}) };
    const [a, c] = net.b.addAll('Split', [known.value, ...sizes], {
      attributes,
      outputs: [`split_a_${known.value.name}`, `split_b_${known.value.name}`],
    });
    if (a === undefined || c === undefined) return known;
    const worked = net.unary({ value: a, dims: known.dims.with(1, first) });
    return {
      value: net.b.add('Concat', [worked.value, c], { attributes: { axis: attribute.int(1) } }),
      dims: known.dims,
    };
  },
  // A slice of the channels, bounds from either end.
  (net, known) => {
    const channels = known.dims[1] ?? 1;
    const [start, end] = net.choices.of([
      [0, channels - 1],
      [1, channels],
      [1, 2 ** 31],
      [-channels, -1],
      [1, channels - 1],
    ]);
    const value = net.b.add('Slice', [
      known.value,
      net.b.int64([start ?? 0]),
      net.b.int64([end ?? 0]),
      net.b.int64([1]),
    ]);
    const cut = (bound: number) => Math.min(bound < 0 ? bound + channels : bound, channels);
    return { value, dims: known.dims.with(1, cut(end ?? 0) - cut(start ?? 0)) };
  },
  // Channels in another order, some twice.
  (net, known) => {
    const channels = known.dims[1] ?? 1;
    const indices = Array.from({ length: channels }, () => net.choices.integer(-channels, channels - 1));
    return {
      value: net.b.add('Gather', [known.value, net.b.int64(indices)], { attributes: { axis: attribute.int(1) } }),
      dims: known.dims,
    };
  },
  // A shuffle.
  (net, known) => {
    const [n = 1, c = 1, h = 1, w = 1] = known.dims;
    const groups = c % 2 === 0 ? 2 : 1;
    const apart = net.b.add('Reshape', [known.value, net.b.int64([n, groups, c / groups, h, w])]);
    const turned = net.b.add('Transpose', [apart], { attributes: { perm: attribute.ints([0, 2, 1, 3, 4]) } });
    return {
      value: net.b.add('Reshape', [
        turned,
        net.b.int64(
          net.choices.of([
            [n, c, h, w],
            [0, -1, h, w],
          ]),
        ),
      ]),
      dims: known.dims,
    };
  },
  // Normalization, a scale and an offset of channels.
  (net, known) => {
    const c = known.dims[1] ?? 1;
    const positive = net.b.floats(randomFloats(c, c, 0.5, 2));
    const normalized = net.b.add('BatchNormalization', [
      known.value,
      net.weight([c]),
      net.weight([c]),
      net.weight([c]),
      positive,
    ]);
    return {
      value: net.b.add(net.choices.of(['Mul', 'Add', 'PRelu']), [normalized, net.weight([c, 1, 1])]),
      dims: known.dims,
    };
  },
  (net, known) => {
    const [n = 1, c = 1, h = 1, w = 1] = known.dims;
    const scales = net.b.floats([1, 1, 2, 1]);
    const sizes = net.b.int64([n, c, h * 2, w]);
    const inputs = net.choices.chance(0.5)
      ? [known.value, undefined, scales]
      : [known.value, undefined, undefined, sizes];
    const value = net.b.add('Resize', inputs, { attributes: { mode: attribute.string('nearest') } });
    return net.conv({ value, dims: [n, c, h * 2, w] }, 4, { stride: 2 });
  },
  (net, known) => {
    const [n = 1, c = 1, h = 1, w = 1] = known.dims;
    const weight = net.weight([c, 4, 2, 2]);
    const value = net.b.add('ConvTranspose', [known.value, weight], {
      attributes: { strides: attribute.ints([2, 2]) },
    });
    const pooled = net.b.add('MaxPool', [value], {
      attributes: { kernel_shape: attribute.ints([2, 2]), strides: attribute.ints([2, 2]) },
    });
    return { value: pooled, dims: [n, 4, h, w] };
  },
];

const WIDTH = 8;

function sequenceNetwork(seeds: readonly number[], net: Network): PrunableGraph {
  const dims = [2, 3];
  net.choices = new Choices(seeds[0] ?? 0);
  const ids = net.b.input('ids', ['batch', 'sequence'], 'int64');
  const table = net.weight([10, WIDTH]);
  let current: Known = { value: net.b.add('Gather', [table, ids]), dims: [...dims, WIDTH] };
  for (const seed of seeds.slice(1, 6)) {
    net.choices = new Choices(seed);
    const inner = net.choices.of(SEQUENCE_BLOCKS)(net, current);
    const sum: Known = { value: net.b.add('Add', [current.value, inner.value]), dims: current.dims };
    current = net.choices.chance(0.5) ? sum : layerNormalization(net, sum);
  }
  const out = net.dense(current, 3);
  const feed = Tensor.int64([1, 2, 3, 4, 5, 9], dims);
  return { model: net.b.finish([out.value]), feeds: { ids: feed } };
}

function layerNormalization(net: Network, { value, dims }: Known): Known {
  return { value: net.b.add('LayerNormalization', [value, net.weight([WIDTH]), net.weight([WIDTH])]), dims };
}

const SEQUENCE_BLOCKS: readonly Block[] = [
  (net, known) => net.dense(net.unary(net.dense(known, net.choices.of([6, 12]))), WIDTH),
  (net, known) => attention(net, known, false),
  (net, known) => attention(net, known, true),
];

/** Heads of width 3, from three products or from one. */
function attention(net: Network, known: Known, packed: boolean): Known {
  const { b } = net;
  const [n = 1, s = 1] = known.dims;
  const heads = net.choices.of([2, 4]);
  const permute = (value: Value, perm: readonly number[]) =>
    b.add('Transpose', [value], { attributes: { perm: attribute.ints(perm) } });
  let [q, k, v]: (Value | undefined)[] = [];
  if (packed) {
    const all = b.add('Reshape', [
      net.dense(known, 3 * heads * 3).value,
      b.int64(
        net.choices.of([
          [0, 0, 3, heads, 3],
          [n, s, 3, heads, 3],
          [0, -1, 3, heads, 3],
        ]),
      ),
    ]);
    const turned = permute(all, [2, 0, 3, 1, 4]);
    [q, k, v] = [0, 1, 2].map((index) => {
      const part = b.add('Slice', [turned, b.int64([index]), b.int64([index + 1]), b.int64([0])]);
      return b.add('Squeeze', [part, b.int64([0])]);
    });
    if (k !== undefined) k = permute(k, [0, 1, 3, 2]);
  } else {
    const one = (perm: readonly number[]) => {
      const shape = b.int64(
        net.choices.of([
          [0, 0, heads, 3],
          [n, -1, heads, 3],
          [0, 0, -1, 3],
        ]),
      );
      return permute(b.add('Reshape', [net.dense(known, heads * 3).value, shape]), perm);
    };
    [q, k, v] = [one([0, 2, 1, 3]), one([0, 2, 3, 1]), one([0, 2, 1, 3])];
  }
  const weights = b.add('Softmax', [b.add('Div', [b.add('MatMul', [q, k]), b.scalar(2)])]);
  const context = permute(b.add('MatMul', [weights, v]), [0, 2, 1, 3]);
  const joined = b.add('Reshape', [
    context,
    b.int64(
      net.choices.of([
        [0, 0, heads * 3],
        [0, 0, -1],
        [n, s, heads * 3],
      ]),
    ),
  ]);
  return net.dense({ value: joined, dims: [n, s, heads * 3] }, WIDTH);
}
