import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { fuseHardSwish } from '../../../lib/compiler/passes/fuse-hard-swish.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { largestRelativeDifference } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomTensor } from '../../support/random-numbers.js';

const sixth: Record<string, Attribute> = { alpha: attribute.float(Math.fround(1 / 6)), beta: attribute.float(0.5) };
const x = randomTensor([2, 3, 4], 1, -6, 6);

function clipped(b: ModelBuilder, data: Value, opset: number, shape: readonly number[] = []): Value {
  const shifted = b.add('Add', [data, b.floats([3], shape)]);
  if (opset >= 11) return b.add('Clip', [shifted, b.scalar(0), b.scalar(6)]);
  return b.add('Clip', [shifted], { attributes: { min: attribute.float(0), max: attribute.float(6) } });
}

const SPELLINGS: Readonly<Record<string, (b: ModelBuilder, data: Value, opset: number) => Value>> = {
  'x · clip / 6': (b, data, opset) => b.add('Div', [b.add('Mul', [data, clipped(b, data, opset)]), b.scalar(6)]),
  'clip / 6 · x': (b, data, opset) => b.add('Mul', [b.add('Div', [clipped(b, data, opset), b.scalar(6)]), data]),
  'x · (1/6 · clip), constants of shape [1]': (b, data, opset) =>
    b.add('Mul', [data, b.add('Mul', [b.floats([1 / 6], [1]), clipped(b, data, opset, [1])])]),
  '(x / 6) · clip': (b, data, opset) => b.add('Mul', [b.add('Div', [data, b.scalar(6)]), clipped(b, data, opset)]),
  'x · min(max(x + 3, 0), 6) / 6': (b, data) => {
    const positive = b.add('Max', [b.add('Add', [b.scalar(3), data]), b.scalar(0)]);
    return b.add('Div', [b.add('Mul', [data, b.add('Min', [positive, b.scalar(6)])]), b.scalar(6)]);
  },
  'x · max(min(x + 3, 6), 0) / 6': (b, data) => {
    const limited = b.add('Min', [b.scalar(6), b.add('Add', [data, b.scalar(3)])]);
    return b.add('Div', [b.add('Mul', [b.add('Max', [limited, b.scalar(0)]), data]), b.scalar(6)]);
  },
  'x · min(relu(x + 3), 6) / 6': (b, data) => {
    const positive = b.add('Relu', [b.add('Add', [data, b.scalar(3)])]);
    return b.add('Div', [b.add('Mul', [b.add('Min', [positive, b.scalar(6)]), data]), b.scalar(6)]);
  },
};

describe('HardSwish', () => {
  it.each(Object.entries(SPELLINGS))('%s', async (_, spell) => {
    for (const opset of [9, 13, 18]) {
      const b = new ModelBuilder(opset);
      const model = b.finish([spell(b, b.input('x', [2, 3, 4]), opset)]);
      const name = model.graph.outputs[0]?.name;
      const { before, after, result } = await beforeAndAfter(model, [fuseHardSwish()], { x });
      expect(result).toEqual({ modified: ['fuse-hard-swish'], declined: [] });
      expect(model.graph.nodes.map((node) => node.opType)).toEqual(
        opset >= 14 ? ['HardSwish'] : ['HardSigmoid', 'Mul'],
      );
      expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
      expect(model.graph.outputs[0]?.name).toBe(name);
    }
  });

  it('HardSigmoid · x of the same slope, from opset 14 on', async () => {
    for (const opset of [13, 14]) {
      const b = new ModelBuilder(opset);
      const data = b.input('x', [2, 3, 4]);
      const model = b.finish([b.add('Mul', [data, b.add('HardSigmoid', [data], { attributes: sixth })])]);
      const { before, after } = await beforeAndAfter(model, [fuseHardSwish()], { x });
      expect(model.graph.nodes.length).toBe(opset === 14 ? 1 : 2);
      expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
    }
  });

  it('the gate alone becomes HardSigmoid, whatever it multiplies', async () => {
    const b = new ModelBuilder(18);
    const data = b.input('x', [2, 3, 4]);
    const gate = b.add('Div', [clipped(b, b.add('Neg', [data]), 18), b.scalar(6)]);
    const model = b.finish([b.add('Mul', [data, gate])]);
    const { before, after } = await beforeAndAfter(model, [fuseHardSwish()], { x });
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Neg', 'HardSigmoid', 'Mul']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });
});

describe('is left alone', () => {
  async function outcome(build: (b: ModelBuilder, data: Value) => Value[]) {
    const b = new ModelBuilder(18);
    const data = b.input('x', [2, 3, 4]);
    const model = b.finish(build(b, data));
    const count = model.graph.nodes.length;
    const result = await fuseHardSwish().run(model);
    expect(result.modified).toBe(false);
    expect(model.graph.nodes.length).toBe(count);
    return result.declined?.join() ?? '';
  }

  it.each([
    ['another offset', 2.5, 6, 6],
    ['another ceiling', 3, 5, 6],
    ['another divisor', 3, 6, 5],
  ])('%s', async (_, offset, ceiling, divisor) => {
    await outcome((b, data) => {
      const clip = b.add('Clip', [b.add('Add', [data, b.scalar(offset)]), b.scalar(0), b.scalar(ceiling)]);
      return [b.add('Div', [b.add('Mul', [data, clip]), b.scalar(divisor)])];
    });
  });

  it('a gate that others read, or that is an output', async () => {
    const others = await outcome((b, data) => {
      const clip = clipped(b, data, 18);
      return [b.add('Div', [b.add('Mul', [data, clip]), b.scalar(6)]), b.add('Neg', [clip])];
    });
    expect(others).toContain('is used elsewhere');
    const output = await outcome((b, data) => {
      const shifted = b.add('Add', [data, b.scalar(3)]);
      const clip = b.add('Clip', [shifted, b.scalar(0), b.scalar(6)]);
      return [b.add('Div', [b.add('Mul', [data, clip]), b.scalar(6)]), shifted];
    });
    expect(output).toContain('is an output of the graph');
  });

  it('a bound that a caller may override, and a constant that widens the data', async () => {
    await outcome((b, data) => {
      const ceiling = b.scalar(6);
      b.graph.setInputs([data, ceiling]);
      const clip = b.add('Clip', [b.add('Add', [data, b.scalar(3)]), b.scalar(0), ceiling]);
      return [b.add('Div', [b.add('Mul', [data, clip]), b.scalar(6)])];
    });
    await outcome((b, data) => [
      b.add('Div', [b.add('Mul', [data, clipped(b, data, 18, [1, 1, 1, 1])]), b.floats([6], [1, 1, 1, 1])]),
    ]);
  });
});
