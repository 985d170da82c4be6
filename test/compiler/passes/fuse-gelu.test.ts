import { describe, expect, it } from 'vitest';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { fuseGelu } from '../../../lib/compiler/passes/fuse-gelu.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { largestRelativeDifference } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomTensor } from '../../support/random-numbers.js';

const x = randomTensor([2, 3, 4], 1, -4, 4);

const erf = (b: ModelBuilder, data: Value) =>
  b.add('Add', [b.add('Erf', [b.add('Div', [data, b.scalar(Math.SQRT2)])]), b.scalar(1)]);

const ERROR_FUNCTION: Readonly<Record<string, (b: ModelBuilder, data: Value) => Value>> = {
  'x · (1 + erf) · 0.5': (b, data) => b.add('Mul', [b.add('Mul', [data, erf(b, data)]), b.scalar(0.5)]),
  '(0.5 · x) · (1 + erf)': (b, data) => b.add('Mul', [b.add('Mul', [b.scalar(0.5), data]), erf(b, data)]),
  'x · (0.5 · (1 + erf))': (b, data) => b.add('Mul', [data, b.add('Mul', [erf(b, data), b.scalar(0.5)])]),
  'with √½ and a division by 2': (b, data) => {
    const scaled = b.add('Mul', [b.scalar(Math.SQRT1_2), data]);
    const sum = b.add('Add', [b.scalar(1), b.add('Erf', [scaled])]);
    return b.add('Div', [b.add('Mul', [sum, data]), b.scalar(2)]);
  },
};

function tangent(b: ModelBuilder, data: Value, cube: Value): Value {
  const argument = b.add('Add', [data, b.add('Mul', [cube, b.scalar(0.044715)])]);
  const bounded = b.add('Tanh', [b.add('Mul', [argument, b.scalar(Math.sqrt(2 / Math.PI))])]);
  return b.add('Mul', [b.add('Mul', [data, b.scalar(0.5)]), b.add('Add', [bounded, b.scalar(1)])]);
}

const TANGENT: Readonly<Record<string, (b: ModelBuilder, data: Value) => Value>> = {
  'x to the power of 3': (b, data) => tangent(b, data, b.add('Pow', [data, b.scalar(3)])),
  'x · x · x': (b, data) => tangent(b, data, b.add('Mul', [data, b.add('Mul', [data, data])])),
};

describe.each([
  ['erf', ERROR_FUNCTION, 'Gelu'],
  ['tanh', TANGENT, 'FastGelu'],
])('%s', (_, spellings, contrib) => {
  it.each(Object.entries(spellings))('%s', async (_spelling, spell) => {
    for (const opset of [13, 20]) {
      const b = new ModelBuilder(opset);
      const model = b.finish([spell(b, b.input('x', [2, 3, 4]))]);
      const { before, after, result } = await beforeAndAfter(model, [fuseGelu()], { x });
      expect(result).toEqual({ modified: ['fuse-gelu'], declined: [] });
      expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
      const [node] = model.graph.nodes;
      expect([model.graph.nodes.length, node?.domain, node?.opType, model.opsetImports.has('com.microsoft')]).toEqual(
        opset === 20 ? [1, '', 'Gelu', false] : [1, 'com.microsoft', contrib, true],
      );
    }
  });
});

it('is left alone with another factor, other readers, or another argument', async () => {
  const cases: ((b: ModelBuilder, data: Value) => Value[])[] = [
    (b, data) => [b.add('Mul', [b.add('Mul', [data, erf(b, data)]), b.scalar(0.4)])],
    (b, data) => {
      const sum = erf(b, data);
      return [b.add('Mul', [b.add('Mul', [data, sum]), b.scalar(0.5)]), sum];
    },
    (b, data) => [b.add('Mul', [b.add('Mul', [b.add('Neg', [data]), erf(b, data)]), b.scalar(0.5)])],
    (b, data) => [tangent(b, data, b.add('Pow', [data, b.scalar(2)]))],
    (b, data) => {
      const sum = b.add('Add', [b.add('Erf', [b.add('Div', [data, b.scalar(Math.SQRT2)])]), b.scalar(2)]);
      return [b.add('Mul', [b.add('Mul', [data, sum]), b.scalar(0.5)])];
    },
  ];
  for (const build of cases) {
    const b = new ModelBuilder(20);
    const model = b.finish(build(b, b.input('x', [2])));
    const count = model.graph.nodes.length;
    expect((await fuseGelu().run(model)).modified).toBe(false);
    expect(model.graph.nodes.length).toBe(count);
  }
});
