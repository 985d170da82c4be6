import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { convertOpset } from '../../../lib/compiler/passes/convert-opset.js';
import { beforeAndAfter, expectSameBits } from '../../support/before-and-after.js';
import { largestRelativeDifference } from '../../support/compare-outputs.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';

const { float, int, ints, string } = attribute;

describe('BatchNormalization', () => {
  function normalized(opset: number, attributes: Record<string, Attribute>, outputs = ['y']) {
    const b = new ModelBuilder(opset);
    const parameter = (low: number) => b.floats(randomFloats(3, 2, low, 2));
    const inputs = [b.input('x', [2, 3, 4]), parameter(-1), parameter(-1), parameter(-1), parameter(0.1)];
    return b.finish([b.add('BatchNormalization', inputs, { attributes, outputs })]);
  }

  it('loses the attribute spatial', async () => {
    const model = normalized(7, { spatial: int(1), epsilon: float(1e-3) });
    await expectSameBits(model, [convertOpset(21)], { x: randomTensor([2, 3, 4]) });
    expect([...(model.graph.nodes[0]?.attributes.keys() ?? [])]).toEqual(['epsilon']);
  });

  it('declines statistics per feature, and training', async () => {
    expect((await convertOpset(9).run(normalized(7, { spatial: int(0) }))).declined?.[0]).toContain('spatial = 0');
    const trained = normalized(9, {}, ['y', 'mean', 'var', 'saved_mean', 'saved_var']);
    expect((await convertOpset(13).run(trained)).modified).toBe(true);
    expect((await convertOpset(14).run(trained)).declined?.[0]).toContain('cannot go to opset 14: it also returns');
  });
});

describe('GroupNormalization-18', () => {
  const x = randomTensor([2, 6, 4], 9);

  function grouped(constant: boolean, channels: number | undefined) {
    const b = new ModelBuilder(18);
    const data = b.input('x', [2, channels, 4]);
    const scale = constant ? b.floats([0.5, -2, 1]) : b.input('scale', [3]);
    const bias = constant ? b.floats([1, 0, 0.25]) : b.input('bias', [3]);
    return b.finish([b.add('GroupNormalization', [data, scale, bias], { attributes: { num_groups: int(3) } })]);
  }

  it('repeats what was per group for every channel', async () => {
    const constant = await beforeAndAfter(grouped(true, 6), [convertOpset(21)], { x });
    expect(constant.result.declined).toEqual([]);
    expect(largestRelativeDifference(constant.after, constant.before)).toBeLessThan(1e-6);
    const feeds = { x, scale: randomTensor([3], 4), bias: randomTensor([3], 5) };
    const computed = await beforeAndAfter(grouped(false, 6), [convertOpset(21)], feeds);
    expect(computed.result.declined).toEqual([]);
    expect(largestRelativeDifference(computed.after, computed.before)).toBeLessThan(1e-6);
  });

  it('declines an unknown number of channels', async () => {
    expect((await convertOpset(21).run(grouped(true, undefined))).declined?.[0]).toContain('number of its channels');
  });
});

describe('Scan-8', () => {
  function cumulativeSum(batch: number, backwards: boolean) {
    const body = new ModelBuilder(8, 'body');
    const sum = body.add('Add', [body.input('state', [2]), body.input('element', [2])], { outputs: ['sum'] });
    const b = new ModelBuilder(8);
    const attributes = {
      body: attribute.graph(body.finishGraph(sum, body.add('Identity', [sum], { outputs: ['trace'] }))),
      num_scan_inputs: int(1),
      ...(backwards ? { directions: ints([1]) } : {}),
    };
    const inputs = [undefined, b.input('initial', [batch, 2]), b.input('sequence', [batch, 3, 2])];
    return b.finish(b.addAll('Scan', inputs, { attributes, outputs: ['final', 'all'] }));
  }

  it.each([false, true])('a batch of one sequence, backwards: %s', async (backwards) => {
    const feeds = { initial: randomTensor([1, 2], 1), sequence: randomTensor([1, 3, 2], 2) };
    await expectSameBits(cumulativeSum(1, backwards), [convertOpset(21)], feeds);
  });

  it('declines a batch of several', async () => {
    expect((await convertOpset(9).run(cumulativeSum(2, false))).declined?.[0]).toContain('batch of sequences');
  });
});

describe('AveragePool-11', () => {
  function pooled(attributes: Record<string, Attribute>) {
    const b = new ModelBuilder(11);
    const kernel = { kernel_shape: ints([3, 3]), strides: ints([2, 2]) };
    return b.finish([b.add('AveragePool', [b.input('x', [1, 2, 7, 8])], { attributes: { ...kernel, ...attributes } })]);
  }
  const pads = ints([1, 0, 1, 2]);

  it.each([
    ['plain', {}],
    ['padded', { pads }],
    ['padding counted', { pads, count_include_pad: int(1) }],
    ['rounded up', { pads, ceil_mode: int(1) }],
    ['SAME_UPPER', { auto_pad: string('SAME_UPPER') }],
    ['SAME_LOWER, padding counted', { auto_pad: string('SAME_LOWER'), count_include_pad: int(1) }],
  ])('%s: the same average, summed in another order from 19 on', async (_, attributes) => {
    const feeds = { x: randomTensor([1, 2, 7, 8], 3) };
    await expectSameBits(pooled(attributes), [convertOpset(18)], feeds);
    const { before, after, result } = await beforeAndAfter(pooled(attributes), [convertOpset(21)], feeds);
    expect(result.declined).toEqual([]);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });

  it('declines what version 19 defines otherwise', async () => {
    const model = pooled({ pads, count_include_pad: int(1), ceil_mode: int(1) });
    expect((await convertOpset(21).run(model)).declined?.[0]).toContain('cannot go to opset 19');
    expect((await convertOpset(18).run(model)).modified).toBe(true);
  });
});

it('Scatter-9 becomes ScatterElements', async () => {
  const b = new ModelBuilder(9);
  const indices = b.constant(Tensor.int64([1, 0, 2, 0], [2, 2]));
  const inputs = [b.input('x', [3, 4]), indices, b.floats([5, 6, 7, 8], [2, 2])];
  const model = b.finish([b.add('Scatter', inputs, { attributes: { axis: int(1) } })]);
  await expectSameBits(model, [convertOpset(21)], { x: randomTensor([3, 4]) });
});

it('OneHot-9 with negative indices', async () => {
  const b = new ModelBuilder(9);
  const model = b.finish([b.add('OneHot', [b.input('x', [4], 'int64'), b.int64([3]), b.floats([0, 1])])]);
  const x = new RuntimeTensor('int64', BigInt64Array.from([0n, 2n, -1n, 5n]), [4]);
  await expectSameBits(model, [convertOpset(21)], { x });
});

it('RoiAlign-10 maps coordinates without the half pixel that later versions subtract', async () => {
  const b = new ModelBuilder(10);
  const rois = b.floats([0.3, 0.2, 5.1, 4.7], [1, 4]);
  const attributes = { output_height: int(3), output_width: int(2), sampling_ratio: int(2) };
  const model = b.finish([b.add('RoiAlign', [b.input('x', [1, 2, 7, 8]), rois, b.int64([0])], { attributes })]);
  await expectSameBits(model, [convertOpset(21)], { x: randomTensor([1, 2, 7, 8], 6) });
});

it.each(['bilinear', 'bicubic', 'nearest', undefined])('GridSample-16, mode %s', async (mode) => {
  const b = new ModelBuilder(16);
  const grid = b.floats(randomFloats(2 * 3 * 2, 8), [1, 2, 3, 2]);
  const attributes = mode === undefined ? {} : { mode: string(mode) };
  const model = b.finish([b.add('GridSample', [b.input('x', [1, 2, 5, 6]), grid], { attributes })]);
  await expectSameBits(model, [convertOpset(21)], { x: randomTensor([1, 2, 5, 6], 6) });
});

it('Erf-9 of whole numbers has no later version', async () => {
  const b = new ModelBuilder(9);
  const model = b.finish([typed(b.add('Erf', [b.input('x', [2], 'int32')]), 'int32')]);
  expect((await convertOpset(13).run(model)).declined?.[0]).toContain('does not take int32');
});
