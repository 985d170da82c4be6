import { describe, expect, it } from 'vitest';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { type FreezeInputsOptions, freezeInputs } from '../../../lib/compiler/passes/freeze-inputs.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';
import { refusalOf } from '../../support/refusal.js';

type Overrides = NonNullable<FreezeInputsOptions['inputs']>;

function freeze(model: Model, inputs: Overrides = {}): boolean {
  return freezeInputs({ inputs }).run(model).modified;
}

/** `x` [batch, 3, ?] and `scale` [batch], multiplied. */
function example(): Model {
  const b = new ModelBuilder(17);
  const product = b.add('Mul', [b.input('x', ['batch', 3, undefined]), b.input('scale', ['batch'])], {
    outputs: ['y'],
  });
  const model = b.finish([product]);
  product.type = { kind: 'tensor', elementType: 'float32', shape: ['batch', 3, 'batch'] };
  return model;
}

const shapes = ({ graph }: Model) =>
  [...graph.inputs, ...graph.outputs].map(({ type }) => (type?.kind === 'tensor' ? type.shape : undefined));

describe('freezing dimensions', () => {
  it('gives a named dimension its number wherever it is named', () => {
    const model = example();
    expect(freeze(model, { x: { shape: [4, null, null] } })).toBe(true);
    expect(shapes(model)).toEqual([[4, 3, undefined], [4], [4, 3, 4]]);
  });

  it('gives a dimension without a name a number or a name', () => {
    const model = example();
    freeze(model, { x: { shape: ['n', 3, 7] } });
    expect(shapes(model)).toEqual([['n', 3, 7], ['batch'], ['batch', 3, 'batch']]);
  });

  it('changes nothing where nothing is asked for', () => {
    const model = example();
    expect(freeze(model)).toBe(false);
    expect(freeze(model, { x: { shape: [null, 3, null] } })).toBe(false);
  });

  it('gives an input of unknown rank a shape', () => {
    const b = new ModelBuilder(17);
    const model = b.finish([b.add('Relu', [b.input('x', undefined)])]);
    freeze(model, { x: { shape: [2, null] } });
    expect(shapes(model)[0]).toEqual([2, undefined]);
  });

  it.each<[string, Overrides, string, RegExp]>([
    ['an unknown input', { z: { shape: [1] } }, 'INPUT_UNKNOWN', /no input 'z'/],
    ['another rank', { x: { shape: [1, 3] } }, 'INPUT_SHAPE', /another rank/],
    ['another size for a fixed dimension', { x: { shape: [1, 4, 2] } }, 'INPUT_SHAPE', /dimension 1 is fixed to 3/],
    [
      'two sizes for one name',
      { x: { shape: [1, 3, 2] }, scale: { shape: [2] } },
      'INPUT_SHAPE',
      /'batch' would be 1 and 2/,
    ],
    ['too few elements', { x: { value: [1, 2] } }, 'INPUT_VALUE', /does not follow/],
  ])('refuses %s, and leaves the model as it was', async (_, inputs, code, message) => {
    const model = example();
    const before = modelToBytes(model);
    const error = await refusalOf(() => freezeInputs({ inputs }).run(model));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(Buffer.compare(modelToBytes(model), before)).toBe(0);
  });
});

describe('freezing an input to a constant', () => {
  function single(
    shape: readonly (number | string)[],
    elementType: 'float32' | 'int64' | 'uint8' | 'bool' = 'float32',
  ): Model {
    const b = new ModelBuilder(17);
    return b.finish([b.add('Identity', [b.input('x', shape, elementType)])]);
  }
  const frozen = (model: Model) => [...model.graph.initializers][0]?.initializer;

  it('takes it out of the signature', () => {
    const model = single([]);
    expect(freeze(model, { x: { value: 2 } })).toBe(true);
    expect(model.graph.inputs).toEqual([]);
    expect(frozen(model)?.numbers()).toEqual([2]);
    expect(frozen(model)?.dims).toEqual([]);
  });

  it('fills a static shape with one number', () => {
    const model = single([2, 2], 'int64');
    freeze(model, { x: { value: 7 } });
    expect(frozen(model)?.numbers()).toEqual([7, 7, 7, 7]);
  });

  it('lets one open dimension follow from the number of elements', () => {
    const model = single([2, 'n'], 'bool');
    freeze(model, { x: { value: [1, 0, 0, 1, 1, 1] } });
    expect([frozen(model)?.dims, frozen(model)?.numbers()]).toEqual([
      [2, 3],
      [1, 0, 0, 1, 1, 1],
    ]);
  });

  it('refuses numbers that the element type does not hold, and shapes that it would take gigabytes to fill', async () => {
    expect(await refusalOf(() => freeze(single([], 'uint8'), { x: { value: 300 } }))).toMatchObject({
      code: 'INPUT_VALUE',
    });
    expect(await refusalOf(() => freeze(single([], 'int64'), { x: { value: 0.5 } }))).toMatchObject({
      code: 'INPUT_VALUE',
    });
    expect(await refusalOf(() => freeze(single([1 << 20, 1 << 20]), { x: { value: 1 } }))).toMatchObject({
      code: 'INPUT_VALUE',
    });
    expect(await refusalOf(() => freeze(single([2]), { x: { value: [1, 2, 3] } }))).toMatchObject({
      code: 'INPUT_VALUE',
    });
  });

  it('keeps what a model computes for that input', async () => {
    for (const name of ['sileroV5', 'sileroLegacy'] as const) {
      const model = await readOnnx(realModels[name]);
      const pass = freezeInputs({ inputs: { sr: { value: 16_000 } } });
      await expectEquivalent(model, [pass], realModelFeeds(name), { removedInputs: ['sr'] });
      expect(model.graph.inputs.map(({ name: input }) => input)).not.toContain('sr');
    }
  });
});

describe('initializers that are listed as inputs', () => {
  it('become constants', () => {
    const b = new ModelBuilder(17);
    const [x, weight] = [b.input('x', [1]), b.constant(Tensor.scalar('float32', 2), 'weight')];
    const model = b.finish([b.add('Mul', [x, weight])]);
    model.graph.setInputs([x, weight]);
    expect(model.graph.nodes[0]?.constantInput(1)).toBeUndefined();
    expect(freeze(model)).toBe(true);
    expect(model.graph.inputs).toEqual([x]);
    expect(model.graph.nodes[0]?.constantInput(1)?.numbers()).toEqual([2]);
  });

  it('do so in random graphs, which compute the same', () => expectEquivalentOnRandomGraphs([freezeInputs()]));
});
