import { describe, expect, it } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import type { Dimension, Value } from '../../../../lib/compiler/ir/value.js';
import { binary, cast, clip, compare, unary, variadic, where } from '../../../../lib/compiler/lowering/elementwise.js';
import { dense } from '../../../../lib/compiler/lowering/matrix.js';
import {
  concat,
  expand,
  flattenFromSecond,
  gather,
  reshape,
  slice,
  split,
  squeeze,
  tile,
  toChannelsFirst,
  toChannelsLast,
  transpose,
  unsqueeze,
} from '../../../../lib/compiler/lowering/rearrange.js';
import { shapeOf } from '../../../../lib/compiler/lowering/shape.js';
import { ChannelsLastNetwork } from '../../../support/channels-last-network.js';
import { between, IMAGE, push, type Write } from '../../../support/push-transposes.js';

const float = (shape: readonly Dimension[]) => ({ elementType: 'float32', shape }) as const;
const reduced = (
  operator: string,
  axes: readonly number[],
  keeps: boolean,
  x: Value,
  { builder }: ChannelsLastNetwork,
) => {
  const front = axes.map((axis) => (axis < 0 ? axis + 4 : axis));
  const shape = shapeOf(x).flatMap((size, axis) => (front.includes(axis) ? (keeps ? [1] : []) : [size]));
  const attributes = { keepdims: attribute.int(keeps ? 1 : 0) };
  return builder.node(operator, [x, builder.int64(axes)], float(shape), { attributes });
};

/** What, Transposes that stay (those of inputs and outputs), writer, tolerance. */
type Row = readonly [string, number, Write, number?];

const cases = (rows: readonly Row[]) =>
  rows.map(([name, stays, write, tolerance = 0]) => ({ name, stays, write, tolerance }));

const OPERATORS: readonly Row[] = [
  ['unary operators', 2, ({ builder }, x) => unary(builder, 'Relu', unary(builder, 'Neg', x))],
  ['a bias per channel', 2, (n, x) => binary(n.builder, 'Add', x, n.random([4]))],
  ['a constant first', 2, (n, x) => binary(n.builder, 'Sub', n.random([1, 1, 4]), x)],
  ['a constant per row', 2, (n, x) => binary(n.builder, 'Mul', x, n.random([6, 1, 1]))],
  ['a constant of all sizes', 2, (n, x) => binary(n.builder, 'Mul', x, n.random([1, 6, 5, 4]))],
  ['a scalar', 2, (n, x) => binary(n.builder, 'Mul', x, n.builder.scalar(3))],
  ['bounds', 2, ({ builder }, x) => clip(builder, x, 0, 6)],
  ['casts', 2, ({ builder }, x) => cast(builder, cast(builder, x, 'int32'), 'float32')],
  [
    'comparisons and choices',
    2,
    (n, x) => where(n.builder, compare(n.builder, 'Greater', x, n.random([4])), x, n.random([5, 4])),
  ],
  ['variadic operators', 2, (n, x) => variadic(n.builder, 'Max', [x, n.random([4]), unary(n.builder, 'Abs', x)])],
  ['a residual connection', 2, (n, x) => binary(n.builder, 'Add', x, n.convolution(unary(n.builder, 'Relu', x), 4))],
  ['slopes', 2, (n, x) => n.builder.node('PRelu', [x, n.random([1, 1, 4])], float(shapeOf(x)))],
  ['concatenated channels', 2, (n, x) => concat(n.builder, [x, n.convolution(x, 3), unary(n.builder, 'Relu', x)], -1)],
  ['concatenated rows', 2, ({ builder }, x) => concat(builder, [x, unary(builder, 'Relu', x)], 1)],
  ['split channels', 3, ({ builder }, x) => split(builder, x, 3, [1, 3])],
  [
    'slices',
    2,
    ({ builder }, x) =>
      slice(builder, x, [
        { axis: -1, start: 1, step: 2 },
        { axis: 1, start: -1, step: -1 },
      ]),
  ],
  [
    'a slice of the first axes',
    2,
    ({ builder }, x) => builder.node('Slice', [x, builder.int64([0, 1]), builder.int64([9, 4])], float([2, 3, 5, 4])),
  ],
  [
    'sizes by numbers',
    2,
    ({ builder }, x) =>
      builder.node('Resize', [x, undefined, undefined, builder.int64([2, 12, 10, 4])], float([2, 12, 10, 4]), {
        attributes: { mode: attribute.string('nearest') },
      }),
  ],
  [
    'sizes by factors',
    2,
    ({ builder }, x) =>
      builder.node('Resize', [x, undefined, builder.floats([1, 2, 2, 1])], float([2, 12, 10, 4]), {
        attributes: { mode: attribute.string('linear') },
      }),
    1e-6,
  ],
  [
    'sizes of some axes',
    2,
    ({ builder }, x) =>
      builder.node('Resize', [x, undefined, builder.floats([2, 3])], float([2, 12, 15, 4]), {
        attributes: { mode: attribute.string('nearest'), axes: attribute.ints([1, 2]) },
      }),
  ],
  [
    'padding',
    2,
    ({ builder }, x) =>
      builder.node('Pad', [x, builder.int64([0, 1, 2, 0, 0, 3, 0, 1]), builder.scalar(0.5)], float([2, 10, 7, 5])),
  ],
  [
    'padding of some axes',
    2,
    ({ builder }, x) =>
      builder.node('Pad', [x, builder.int64([1, 2, 0, 1]), undefined, builder.int64([-3, -2])], float([2, 7, 8, 4])),
  ],
  [
    'mirrored padding',
    2,
    ({ builder }, x) =>
      builder.node('Pad', [x, builder.int64([0, 1, 2, 0, 0, 1, 1, 0])], float([2, 8, 8, 4]), {
        attributes: { mode: attribute.string('reflect') },
      }),
  ],
  [
    'reductions that keep axes',
    2,
    (n, x) => binary(n.builder, 'Mul', x, reduced('ReduceMean', [1, -2], true, x, n)),
    1e-6,
  ],
  ['the largest of each pixel', 2, (n, x) => binary(n.builder, 'Sub', x, reduced('ReduceMax', [-1], true, x, n))],
  ['reductions that drop axes', 1, (n, x) => reduced('ReduceMax', [1, 2], false, x, n)],
  [
    'softmax of channels',
    2,
    ({ builder }, x) => builder.node('Softmax', [x], float(shapeOf(x)), { attributes: { axis: attribute.int(-1) } }),
    1e-6,
  ],
  [
    'squeezed and unsqueezed axes',
    2,
    (n, x) =>
      binary(
        n.builder,
        'Mul',
        x,
        unsqueeze(n.builder, squeeze(n.builder, reduced('ReduceMax', [1, 2], true, x, n), [1, 2]), [1, 2]),
      ),
  ],
  [
    'a Reshape that puts axes of size 1 back',
    2,
    (n, x) => binary(n.builder, 'Mul', x, reshape(n.builder, reduced('ReduceMax', [1, 2], false, x, n), [-1, 1, 1, 4])),
  ],
  [
    'expansion',
    2,
    (n, x) => binary(n.builder, 'Add', x, expand(n.builder, reduced('ReduceMax', [1], true, x, n), [1, 6, 1, 1])),
  ],
  [
    'expansion by a shorter shape',
    2,
    (n, x) =>
      binary(
        n.builder,
        'Add',
        x,
        n.builder.node(
          'Expand',
          [reduced('ReduceMax', [1], true, x, n), n.builder.int64([6, 1, 1])],
          float(shapeOf(x)),
        ),
      ),
  ],
  ['repetition', 2, ({ builder }, x) => tile(builder, x, [1, 1, 2, 3])],
  ['one row', 2, ({ builder }, x) => unsqueeze(builder, gather(builder, x, builder.int64([2], []), 1), [1])],
  ['chosen channels', 2, ({ builder }, x) => gather(builder, x, builder.int64([3, 0, 0]), -1)],
  [
    'indices in two dimensions',
    1,
    ({ builder }, x) =>
      builder.node(
        'ReduceMax',
        [gather(builder, x, builder.int64([3, 0, 1, 2], [2, 2]), 3), builder.int64([1, 2])],
        float([2, 2, 2]),
        { attributes: { keepdims: attribute.int(0) } },
      ),
  ],
  [
    'where the largest channel is',
    1,
    ({ builder }, x) =>
      builder.node(
        'ArgMax',
        [x],
        { elementType: 'int64', shape: [2, 6, 5] },
        { attributes: { axis: attribute.int(-1), keepdims: attribute.int(0) } },
      ),
  ],
  [
    'sums along an axis',
    2,
    ({ builder }, x) => builder.node('CumSum', [x, builder.constant(Tensor.scalar('int64', 1))], float(shapeOf(x))),
  ],
  [
    'instance normalization',
    2,
    (n, x) =>
      n.builder.node(
        'Transpose',
        [
          n.builder.node(
            'InstanceNormalization',
            [toChannelsFirst(n.builder, x), n.random([4]), n.random([4])],
            float([2, 4, 6, 5]),
          ),
        ],
        float(shapeOf(x)),
        { attributes: { perm: attribute.ints([0, 2, 3, 1]) } },
      ),
  ],
  [
    '8 bits with a scale per channel',
    2,
    ({ builder }, x) => {
      const scales = builder.floats([0.01, 0.02, 0.03, 0.04]);
      const zeros = builder.constant(Tensor.fromNumbers('int8', [4], [0, 1, 2, 3]));
      const attributes = { axis: attribute.int(3) };
      const rounded = builder.node(
        'QuantizeLinear',
        [x, scales, zeros],
        { elementType: 'int8', shape: shapeOf(x) },
        { attributes },
      );
      return builder.node('DequantizeLinear', [rounded, scales, zeros], float(shapeOf(x)), { attributes });
    },
  ],
  [
    'another order in between',
    2,
    ({ builder }, x) => transpose(builder, unary(builder, 'Relu', transpose(builder, x, [0, 2, 1, 3])), [0, 2, 1, 3]),
  ],
  ['pixels in a row, by channel', 2, ({ builder }, x) => reshape(builder, x, [-1, 30, 4])],
  [
    'pixels in a row and back',
    2,
    ({ builder }, x) => reshape(builder, unary(builder, 'Relu', reshape(builder, x, [-1, 30, 4])), [-1, 6, 5, 4]),
  ],
  [
    'flattened pixels in front of weights',
    1,
    (n, x) =>
      dense(n.builder, unary(n.builder, 'Relu', flattenFromSecond(n.builder, x)), n.random([120, 3]), n.random([3])),
    1e-6,
  ],
  [
    'sizes taken as it runs',
    2,
    (n, x) =>
      binary(
        n.builder,
        'Add',
        x,
        n.builder.node(
          'Expand',
          [n.builder.floats([0.5], [1]), n.builder.node('Shape', [x], { elementType: 'int64', shape: [4] })],
          float(shapeOf(x)),
        ),
      ),
  ],
  ['a dense layer of each pixel', 2, (n, x) => dense(n.builder, x, n.random([4, 6]), n.random([6])), 1e-6],
];

/** Of a dense layer: its channels are the last, and nothing around it wants them elsewhere. */
const normalizedChannels = (n: ChannelsLastNetwork, x: Value) => {
  const type = float(toChannelsFirstShape(shapeOf(x)));
  const vectors = [n.random([4]), n.random([4]), n.random([4]), n.builder.floats([1, 2, 3, 4])];
  const normalized = n.builder.node('BatchNormalization', [toChannelsFirst(n.builder, x), ...vectors], type);
  return toChannelsLast(n.builder, normalized);
};

const toChannelsFirstShape = (shape: readonly Dimension[]) => [shape[0], shape.at(-1), ...shape.slice(1, -1)];

const SEQUENCES: readonly Row[] = [
  ['an activation', 2, ({ builder }, x) => unary(builder, 'Tanh', x)],
  ['a dense layer of each step', 2, (n, x) => dense(n.builder, x, n.random([4, 6]), n.random([6])), 1e-6],
  [
    'pooling by a reduction',
    1,
    ({ builder }, x) =>
      builder.node('ReduceMax', [x, builder.int64([1])], float([2, 4]), {
        attributes: { keepdims: attribute.int(0) },
      }),
  ],
  ['a picture of one row', 2, (n, x) => squeeze(n.builder, n.convolution(unsqueeze(n.builder, x, [1]), 4), [1])],
];

describe('between two convolutions, Transposes vanish', () => {
  it.each(cases(OPERATORS))('$name', async ({ stays, write, tolerance }) => {
    const { before, after, model } = await push(between(write), tolerance);
    expect(after, model.graph.nodes.map((node) => node.describe()).join('\n')).toBe(stays);
    expect(after).toBeLessThanOrEqual(before);
  });

  it.each(cases(OPERATORS))('$name, when the batch is open', async ({ stays, write, tolerance }) => {
    const { after } = await push(between(write, ['N', ...IMAGE.slice(1)]), tolerance);
    expect(after).toBeLessThanOrEqual(stays);
  });

  it('a batch normalization between dense layers is spelled out where that saves them', async () => {
    const network = new ChannelsLastNetwork();
    const x = dense(network.builder, network.input('x', ['N', 7, 3]), network.random([3, 4]), network.random([4]));
    const y = dense(network.builder, normalizedChannels(network, x), network.random([4, 5]), network.random([5]));
    const { model, after } = await push(network.builder.finish([{ name: 'y', value: y }]), 1e-6);
    expect(after).toBe(0);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['MatMul', 'Add', 'Mul', 'Add', 'MatMul', 'Add']);
  });

  it('a batch normalization between convolutions stays one', async () => {
    const { model, after } = await push(between(normalizedChannels));
    expect(after).toBe(2);
    expect(model.graph.nodes.some((node) => node.is('BatchNormalization'))).toBe(true);
  });

  it.each(cases(SEQUENCES))('$name, along a sequence', async ({ stays, write, tolerance }) => {
    expect((await push(between(write, [2, 7, 4]), tolerance)).after).toBe(stays);
  });
});
