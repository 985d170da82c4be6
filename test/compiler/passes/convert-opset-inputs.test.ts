import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { convertOpset } from '../../../lib/compiler/passes/convert-opset.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { randomTensor } from '../../support/random-numbers.js';

const { float, floats, int, ints, string } = attribute;
const data = randomTensor([2, 3, 4, 5], 3, -2, 2);

/** Converts a model with the input `x` of shape [2, 3, 4, 5] and compares. */
async function same(opset: number, target: number, build: (x: Value, model: ModelBuilder) => Value[]) {
  const builder = new ModelBuilder(opset);
  const model = builder.finish(build(builder.input('x', [2, 3, 4, 5]), builder));
  await expectSameBits(model, [convertOpset(target)], { x: data });
  expect(model.opset).toBe(target);
  return model;
}

describe('attributes that became inputs', () => {
  it('Slice-1: starts, ends, with and without axes', async () => {
    const model = await same(9, 21, (x, b) => [
      b.add('Slice', [x], { attributes: { starts: ints([1, -3]), ends: ints([3, 2 ** 31 - 1]), axes: ints([1, 3]) } }),
      b.add('Slice', [x], { attributes: { starts: ints([0, 1]), ends: ints([1, -1]) } }),
    ]);
    expect(model.graph.nodes.map((node) => node.attributes.size)).toEqual([0, 0]);
  });

  it('Slice-1 over no axes at all', async () => {
    await same(9, 21, (x, b) => [b.add('Slice', [x], { attributes: { starts: ints([]), ends: ints([]) } })]);
  });

  it('TopK-1: k', async () => {
    await same(9, 21, (x, b) => {
      const [values, indices] = b.addAll('TopK', [x], {
        attributes: { k: int(2), axis: int(2) },
        outputs: ['values', 'indices'],
      }) as [Value, Value];
      return [values, typed(indices, 'int64')];
    });
  });

  it('Clip-6: either bound, both, none, of data whose type only its producer knows', async () => {
    const model = await same(10, 21, (x, b) => [
      b.add('Clip', [b.add('Abs', [x])], { attributes: { min: float(0.25), max: float(1) } }),
      b.add('Clip', [x], { attributes: { min: float(-0.5) } }),
      b.add('Clip', [x], { attributes: { max: float(0.1) } }),
      b.add('Clip', [x]),
    ]);
    expect(model.graph.nodes.slice(1).map((node) => node.inputs.length)).toEqual([3, 2, 3, 1]);
  });

  it('Pad-2: constant with and without a value, edge, reflect', async () => {
    const pads = ints([0, 1, 2, 0, 1, 0, 0, 3]);
    await same(10, 21, (x, b) => [
      b.add('Pad', [x], { attributes: { pads, value: float(1.5) } }),
      b.add('Pad', [x], { attributes: { pads } }),
      b.add('Pad', [x], { attributes: { pads, mode: string('edge') } }),
      b.add('Pad', [x], { attributes: { pads: ints([0, 0, 1, 2, 0, 0, 2, 1]), mode: string('reflect') } }),
    ]);
  });

  it('Dropout-7 and Dropout-10: the ratio, which serves nothing when serving', async () => {
    const model = await same(7, 21, (x, b) => [
      b.add('Dropout', [x], { attributes: { ratio: float(0.3) }, outputs: ['kept', 'mask'] }),
      b.add('Dropout', [x]),
    ]);
    expect(model.graph.nodes.map((node) => [node.inputs.length, node.outputs.length])).toEqual([
      [2, 1],
      [1, 1],
    ]);
  });

  it('Squeeze-1, Unsqueeze-1, Split-2: axes and sizes', async () => {
    await same(9, 21, (x, b) => {
      const wide = b.add('Unsqueeze', [x], { attributes: { axes: ints([0, 3]) } });
      const sized = b.addAll('Split', [x], {
        attributes: { axis: int(3), split: ints([2, 3]) },
        outputs: ['first', 'rest'],
      });
      const equal = b.addAll('Split', [x], { outputs: ['upper', 'lower'] });
      return [
        wide,
        b.add('Squeeze', [wide], { attributes: { axes: ints([3]) } }),
        b.add('Squeeze', [wide]),
        ...sized,
        ...equal,
      ];
    });
  });

  it('Split-13 without sizes states its parts for version 18', async () => {
    const model = await same(13, 18, (x, b) =>
      b.addAll('Split', [x], { attributes: { axis: int(2) }, outputs: ['a', 'b'] }),
    );
    expect(model.graph.nodes[0]?.int('num_outputs')).toBe(2);
  });

  it.each([
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
    'ReduceSum',
    'ReduceSumSquare',
  ])('%s: axes, or none for all of them', async (opType) => {
    await same(7, 21, (x, b) => {
      const positive = b.add('Abs', [x]);
      return [
        b.add(opType, [positive], { attributes: { axes: ints([1, 3]), keepdims: int(0) } }),
        b.add(opType, [positive], { attributes: { axes: ints([2]) } }),
        b.add(opType, [positive]),
      ];
    });
  });

  it('Upsample-7: scales, and its new name in version 10', async () => {
    const model = await same(7, 21, (x, b) => [
      b.add('Upsample', [x], { attributes: { scales: floats([1, 1, 2, 3]) } }),
      b.add('Upsample', [x], { attributes: { scales: floats([1, 1, 1.5, 2]), mode: string('linear') } }),
    ]);
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Resize', 'Resize']);
  });

  it('DFT-17: the axis, whose default moved', async () => {
    const builder = new ModelBuilder(17);
    const x = builder.input('x', [2, 3, 4, 5, 1]);
    const model = builder.finish([
      builder.add('DFT', [x], { attributes: { axis: int(2) } }),
      builder.add('DFT', [x]),
      builder.add('DFT', [x, builder.constant(Tensor.int64([8], []))], { attributes: { onesided: int(1) } }),
    ]);
    await expectSameBits(model, [convertOpset(21)], { x: new RuntimeTensor('float32', data.data, [2, 3, 4, 5, 1]) });
  });
});

it('a bound or a padding value whose type nobody knows declines, and nothing is left half-way', async () => {
  const builder = new ModelBuilder(9);
  const x = builder.input('x', [2, 3]);
  x.type = undefined;
  const reshaped = builder.add('Slice', [x], { attributes: { starts: ints([0]), ends: ints([1]) } });
  const model = builder.finish([builder.add('Clip', [reshaped], { attributes: { min: float(0) } })]);
  const { modified, declined } = await convertOpset(21).run(model);
  expect(modified).toBe(false);
  expect(declined?.join()).toContain('cannot go to opset 11: the element type of its data is unknown');
  expect(model.opset).toBe(9);
  expect(model.graph.initializers.size).toBe(0);
  expect(model.graph.nodes.map((node) => [...node.attributes.keys()])).toEqual([['starts', 'ends'], ['min']]);
});
