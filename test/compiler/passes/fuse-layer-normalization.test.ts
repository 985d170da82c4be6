import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { fuseLayerNormalization } from '../../../lib/compiler/passes/fuse-layer-normalization.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { largestRelativeDifference } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';

const x = randomTensor([2, 3, 4], 1, -4, 8);

interface Spelling {
  readonly axes?: readonly number[];
  readonly square?: 'Pow' | 'Mul';
  readonly divide?: 'Div' | 'Reciprocal';
  /** The difference is computed once more for the division. */
  readonly twice?: boolean;
  readonly scale?: readonly number[];
  readonly bias?: readonly number[];
}

function normalized(b: ModelBuilder, data: Value, opset: number, spelling: Spelling = {}): Value {
  const { axes = [-1], square = 'Pow', divide = 'Div', twice = false, scale, bias } = spelling;
  const mean = (value: Value) =>
    opset < 18
      ? b.add('ReduceMean', [value], { attributes: { axes: attribute.ints(axes) } })
      : b.add('ReduceMean', [value, b.int64(axes)]);
  const average = mean(data);
  const difference = b.add('Sub', [data, average]);
  const squared = square === 'Pow' ? b.add('Pow', [difference, b.scalar(2)]) : b.add('Mul', [difference, difference]);
  const deviation = b.add('Sqrt', [b.add('Add', [mean(squared), b.scalar(1e-5)])]);
  const numerator = twice ? b.add('Sub', [data, average]) : difference;
  let output =
    divide === 'Div'
      ? b.add('Div', [numerator, deviation])
      : b.add('Mul', [numerator, b.add('Reciprocal', [deviation])]);
  const parameter = (dims: readonly number[], seed: number) =>
    b.floats(
      randomFloats(
        dims.reduce((product, size) => product * size, 1),
        seed,
      ),
      dims,
    );
  if (scale !== undefined) output = b.add('Mul', [output, parameter(scale, 2)]);
  if (bias !== undefined) output = b.add('Add', [parameter(bias, 3), output]);
  return output;
}

describe('LayerNormalization', () => {
  it.each<Spelling & { readonly opset?: number; readonly label: string }>([
    { label: 'scale and bias', scale: [4], bias: [4] },
    { label: 'axes as an input', opset: 18, scale: [4], bias: [4] },
    { label: 'no bias', scale: [4] },
    { label: 'no scale', bias: [4] },
    { label: 'neither' },
    { label: 'two axes, counted from the front', axes: [1, 2], scale: [3, 4], bias: [3, 4] },
    { label: 'a square by multiplication', square: 'Mul', scale: [4] },
    { label: 'a reciprocal, and the difference twice', divide: 'Reciprocal', twice: true, scale: [4], bias: [4] },
  ])('$label', async ({ opset = 17, label: _, ...spelling }) => {
    const b = new ModelBuilder(opset);
    const model = b.finish([normalized(b, b.input('x', [2, 3, 4]), opset, spelling)]);
    const name = model.graph.outputs[0]?.name;
    const { before, after, result } = await beforeAndAfter(model, [fuseLayerNormalization()], { x });
    expect(result).toEqual({ modified: ['fuse-layer-normalization'], declined: [] });
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(['LayerNormalization']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
    expect(model.graph.outputs[0]?.name).toBe(name);
  });

  it('takes scale and bias of a shape that it cannot see', async () => {
    const b = new ModelBuilder(17);
    const model = b.finish([normalized(b, b.input('x', undefined), 17, { scale: [4], bias: [4] })]);
    const { before, after } = await beforeAndAfter(model, [fuseLayerNormalization()], { x });
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(['LayerNormalization']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });

  it('leaves a scale that broadcasts otherwise outside', async () => {
    const b = new ModelBuilder(17);
    const model = b.finish([normalized(b, b.input('x', [2, 3, 4]), 17, { scale: [3, 1] })]);
    const { before, after } = await beforeAndAfter(model, [fuseLayerNormalization()], { x });
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(['LayerNormalization', 'Mul']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });
});

describe('declines', () => {
  async function reason(opset: number, build: (b: ModelBuilder) => Value[]) {
    const b = new ModelBuilder(opset);
    const model = b.finish(build(b));
    const count = model.graph.nodes.length;
    const result = await fuseLayerNormalization().run(model);
    expect([result.modified, model.graph.nodes.length]).toEqual([false, count]);
    return result.declined?.join() ?? '';
  }

  it('before opset 17', async () => {
    const why = await reason(16, (b) => [normalized(b, b.input('x', [2, 3, 4]), 16)]);
    expect(why).toContain('needs opset 17, and the model has 16');
  });

  it('other axes than the last', async () => {
    expect(await reason(17, (b) => [normalized(b, b.input('x', [2, 3, 4]), 17, { axes: [1] })])).toContain('last axes');
    expect(await reason(17, (b) => [normalized(b, b.input('x', undefined), 17, { axes: [2] })])).toContain('last axes');
  });

  it('no scale, and axes of unknown size', async () => {
    expect(await reason(17, (b) => [normalized(b, b.input('x', undefined), 17)])).toContain('is unknown');
  });

  it('a mean that others read, or that is an output', async () => {
    const why = await reason(17, (b) => {
      const output = normalized(b, b.input('x', [2, 3, 4]), 17, { scale: [4] });
      const mean = b.graph.nodes.find((node) => node.opType === 'ReduceMean')?.output();
      return mean === undefined ? [output] : [output, b.add('Neg', [mean])];
    });
    expect(why).toContain('has other readers');
  });
});
