import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { mergePadding } from '../../../lib/compiler/passes/merge-padding.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { randomFloats } from '../../support/channels-last-network.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';

const feeds = toOrtFeeds({ x: randomFloats([2, 3, 6, 7], 3) });

interface PadOptions {
  readonly pads?: readonly number[];
  readonly value?: number;
  readonly axes?: readonly number[];
  readonly mode?: string;
}

/** x → whatever → Pad → `read`. */
function padded(
  options: PadOptions,
  read: (b: ModelBuilder, pad: Value) => Value | Value[],
  write = (_: ModelBuilder, x: Value) => x,
): Model {
  const { pads = [0, 0, 1, 2, 0, 0, 0, 1], value, axes, mode } = options;
  const b = new ModelBuilder(18);
  const x = write(b, b.input('x', ['N', 3, 6, 7]));
  const number = value === undefined ? undefined : b.constant(Tensor.scalar('float32', value));
  const named = axes === undefined ? [] : [b.int64(axes)];
  const attributes = mode === undefined ? {} : { mode: attribute.string(mode) };
  const pad = b.add('Pad', [x, b.int64(pads), number, ...named], { attributes });
  pad.type = { kind: 'tensor', elementType: 'float32', shape: ['N', 3, undefined, undefined] };
  return b.finish([read(b, pad)].flat());
}

const conv =
  (attributes = {}) =>
  (b: ModelBuilder, x: Value) =>
    b.add('Conv', [x, b.constant(randomFloats([4, 3, 3, 3], 5))], { attributes });
const pool =
  (opType: string, attributes = {}) =>
  (b: ModelBuilder, x: Value) =>
    b.add(opType, [x], { attributes: { kernel_shape: attribute.ints([3, 3]), ...attributes } });
const relu = (b: ModelBuilder, x: Value) => b.add('Relu', [x]);
const pads = attribute.ints([1, 0, 0, 1]);

describe('zeros in front of', () => {
  it.each<readonly [string, Model]>([
    ['a convolution', padded({}, conv())],
    ['a convolution, given as a number', padded({ value: 0 }, conv())],
    ['a convolution, on named axes', padded({ pads: [1, 2, 0, 1], axes: [-2, 3] }, conv())],
    ['a convolution that pads itself', padded({}, conv({ pads, strides: attribute.ints([2, 2]) }))],
    ['a pool of means that counts them', padded({}, pool('AveragePool', { count_include_pad: attribute.int(1) }))],
    [
      'a pool of means without padding',
      padded({ pads: [0, 0, 1, 1, 0, 0, 1, 1] }, pool('AveragePool', { strides: attribute.ints([2, 2]) })),
    ],
    ['a pool of maxima behind a Relu', padded({}, pool('MaxPool', { strides: attribute.ints([2, 2]) }), relu)],
    ['two readers', padded({}, (b, x) => [conv()(b, x), conv({ pads })(b, x)])],
  ])('%s become its own padding', async (_, model) => {
    await expectSameBits(model, [mergePadding()], feeds);
    expect(model.graph.nodes.some((node) => node.is('Pad'))).toBe(false);
  });

  const clipped = (minimum: number) => (b: ModelBuilder, x: Value) =>
    b.add('Clip', [x, b.constant(Tensor.scalar('float32', minimum)), b.constant(Tensor.scalar('float32', 6))]);

  it('a pool of maxima behind a Clip from 0 become its own padding, from below 0 not', async () => {
    await expectSameBits(padded({}, pool('MaxPool'), clipped(0)), [mergePadding()], feeds);
    const { modified } = await runPasses(padded({}, pool('MaxPool'), clipped(-1)), [mergePadding()]);
    expect(modified).toEqual([]);
  });
});

describe('a Pad stays', () => {
  it.each<readonly [string, Model, string | undefined]>([
    ['of other numbers', padded({ value: 1 }, conv()), undefined],
    ['of mirrored elements', padded({ mode: 'reflect' }, conv()), undefined],
    ['that cuts', padded({ pads: [0, 0, -1, 0, 0, 0, 0, 0] }, conv()), undefined],
    ['of channels', padded({ pads: [0, 1, 0, 0, 0, -1, 0, 0] }, conv()), undefined],
    ['that is an output', padded({}, (b, x) => [x, conv()(b, x)]), 'its result is an output of the graph'],
    ['that others read', padded({}, (b, x) => [conv()(b, x), b.add('Neg', [x])]), 'Neg '],
    [
      'in front of automatic padding',
      padded({}, conv({ auto_pad: attribute.string('SAME_UPPER') })),
      'pads automatically',
    ],
    ['in front of maxima of any numbers', padded({}, pool('MaxPool')), 'pads with less than zero'],
    ['in front of means of what lies inside', padded({}, pool('AveragePool', { pads })), 'does not count what it pads'],
    [
      'in front of sizes that are rounded up',
      padded({}, pool('AveragePool', { ceil_mode: attribute.int(1) })),
      'rounds its size up',
    ],
    [
      'wider than the window',
      padded({ pads: [0, 0, 3, 3, 0, 0, 0, 0] }, pool('MaxPool'), relu),
      'windows of nothing but padding',
    ],
  ])('%s', async (_, model, reason) => {
    const { modified, declined } = await runPasses(model, [mergePadding()]);
    expect(modified).toEqual([]);
    if (reason === undefined) expect(declined).toEqual([]);
    else expect(declined[0]?.reason).toContain(reason);
  });
});
