import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { replaceWeights } from '../../../lib/compiler/passes/replace-weights.js';
import { unshareConstants } from '../../../lib/compiler/passes/unshare-constants.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';
import { runModel } from '../../support/run-model.js';

const zeros = (...dims: number[]) =>
  Tensor.fromTyped('float32', dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));

/** Two additions of one constant. */
function shared() {
  const b = new ModelBuilder(18);
  const constant = b.constant(Tensor.fromNumbers('float32', [2], [1, 2]), 'c');
  const first = b.add('Add', [b.input('x', [2]), constant], { outputs: ['first'] });
  return b.finish([b.add('Mul', [first, constant], { outputs: ['y'] })]);
}

describe('unshareConstants', () => {
  it('gives every reader its own, under a name made of both, and changes nothing else', async () => {
    const model = shared();
    await expectSameBits(model, [unshareConstants()], { x: randomTensor([2]) });
    expect([...model.graph.initializers].map(({ name }) => name)).toEqual(['c/first/1', 'c/y/1']);
    expect(unshareConstants().run(model)).toEqual({ modified: false });
  });

  it('leaves alone what a caller may override, what a subgraph reads, what is large, and single numbers', () => {
    const overridable = shared();
    overridable.graph.setInputs([...overridable.graph.inputs, ...overridable.graph.initializers]);
    expect(unshareConstants().run(overridable).modified).toBe(false);

    const b = new ModelBuilder(18);
    const large = b.floats(randomFloats(20_000));
    const one = b.scalar(2);
    const sum = b.add('Add', [b.add('Add', [b.input('x', [20_000]), large]), large]);
    const model = b.finish([b.add('Mul', [b.add('Mul', [sum, one]), one])]);
    expect(unshareConstants().run(model).modified).toBe(false);
  });
});

describe('replaceWeights', () => {
  it('replaces for all readers by the name in the graph, for one by its name after unsharing', () => {
    const all = shared();
    replaceWeights(new Map([['c', zeros(2)]])).run(all);
    expect([...all.graph.initializers].map((value) => value.initializer?.numbers())).toEqual([[0, 0]]);
    const one = shared();
    replaceWeights(new Map([['c/y/1', zeros(2)]])).run(one);
    expect([...one.graph.initializers].map((value) => value.initializer?.numbers())).toEqual([
      [1, 2],
      [0, 0],
    ]);
  });

  it('takes as many groups of a convolution out as its weights say, and forgets sizes', async () => {
    const b = new ModelBuilder(18);
    const first = b.add('Conv', [b.input('x', [1, 3, 4, 4]), b.constant(zeros(6, 3, 1, 1), 'a')]);
    const attributes = { group: attribute.int(6) };
    const deep = b.add('Conv', [first, b.constant(zeros(12, 1, 3, 3), 'b')], { attributes });
    const y = b.add('Conv', [deep, b.constant(zeros(2, 12, 1, 1), 'c')], { outputs: ['y'] });
    const model = b.finish([y]);
    first.type = { kind: 'tensor', elementType: 'float32', shape: [1, 6, 4, 4] };
    replaceWeights(
      new Map([
        ['a', zeros(4, 3, 1, 1)],
        ['b', zeros(8, 1, 3, 3)],
        ['c', zeros(2, 8, 1, 1)],
      ]),
    ).run(model);
    expect(model.graph.nodes.map((node) => node.int('group', 1))).toEqual([1, 4, 1]);
    expect(first.type).toBeUndefined();
    const outputs = await runModel(modelToBytes(model), { x: randomTensor([1, 3, 4, 4]) });
    expect(outputs.y).toMatchObject({ dims: [1, 2, 2, 2] });
  });

  it.each([
    ['a name that the graph lacks', 'z', zeros(2)],
    ['another rank', 'c', zeros(2, 1)],
    ['another element type', 'c', Tensor.int64([1, 2])],
  ])('fails for %s', (_, name, tensor) => {
    expect(() => replaceWeights(new Map([[name, tensor]])).run(shared())).toThrow(
      expect.objectContaining({ code: 'PLAN_WEIGHT' }),
    );
  });
});
