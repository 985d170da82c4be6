import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import { applyPlan } from '../../../lib/compiler/quantize/apply-plan.js';
import { nodeKeyOf } from '../../../lib/compiler/quantize/node-key.js';
import { quantizeWeight } from '../../../lib/compiler/quantize/parameters/quantize-weight.js';
import { EMPTY_PLAN } from '../../../lib/compiler/quantize/plan.js';
import { type Outputs, signalToNoise } from '../../support/before-and-after.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { optimizedOperators } from '../../support/optimized-graph.js';
import { quantizableNodes, recordRanges, STATIC, staticPlan } from '../../support/quantization-plan.js';
import { quantizeAndRun } from '../../support/quantize-and-run.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';
import { runModel } from '../../support/run-model.js';

const random = (dims: readonly number[], seed = 1) =>
  Tensor.fromNumbers(
    'float32',
    dims,
    randomFloats(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
const feeds = { x: randomTensor([1, 3, 8, 8]) };

/** Two convolutions with a Relu between them. */
function network(opset = 18): Model {
  const b = new ModelBuilder(opset);
  const x = b.input('x', [1, 3, 8, 8]);
  const first = b.add('Conv', [x, b.constant(random([4, 3, 3, 3]), 'w1'), b.constant(random([4], 2), 'b1')], {
    outputs: ['c1'],
  });
  const relu = b.add('Relu', [first], { outputs: ['r1'] });
  const second = b.add('Conv', [relu, b.constant(random([2, 4, 3, 3], 3), 'w2')], { outputs: ['c2'] });
  return b.finish([second]);
}

const node = (model: Model, output: string) => {
  const found = [...nodesOf(model)].find((each) => each.outputs[0]?.name === output);
  if (found === undefined) throw new Error(`no node computes '${output}'`);
  return found;
};

describe('a plan', () => {
  it('without recipes changes nothing', () => {
    const model = network();
    const before = modelToBytes(model);
    expect(applyPlan(model, EMPTY_PLAN).declined).toEqual([]);
    expect(Buffer.compare(modelToBytes(model), before)).toBe(0);
  });

  it('leaves nodes alone that it does not name, bit for bit', async () => {
    const { model } = await quantizeAndRun(network(), feeds, { only: (each) => each.output().name === 'c1' });
    expect(node(model, 'c2').constantInput(1)?.elementType).toBe('float32');
    expect([...nodesOf(model)].filter(({ opType }) => opType === 'QuantizeLinear').length).toBe(2);
  });

  it('names what it could not do, and why', async () => {
    const model = network();
    const { plan } = await staticPlan(model, feeds);
    const [first] = plan.recipes;
    if (first === undefined) throw new Error('no recipes');
    const missing = { node: { ...first.node, output: 'gone' }, recipe: STATIC };
    const activations = plan.activations.filter(({ tensor }) => tensor !== 'r1');
    const { declined } = applyPlan(model, { ...plan, recipes: [...plan.recipes, missing], activations });
    validate(model);
    expect(declined).toEqual([
      { node: 'gone', reason: 'the model has no Conv of this name with these weights' },
      { node: 'c1', reason: "the range of 'r1' is not known" },
      { node: 'r1', reason: "the range of 'r1' is not known" },
      { node: 'c2', reason: "the range of 'r1' is not known" },
    ]);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Conv', 'Relu', 'Conv']);
  });

  it('leaves no constant behind that nobody reads', async () => {
    const { model } = await quantizeAndRun(network(), feeds);
    for (const value of model.graph.initializers) expect(value.uses.size).toBeGreaterThan(0);
    expect([...model.graph.initializers].map(({ name }) => name)).not.toContain('w1');
  });

  it('imports no domain that it does not use', async () => {
    const { model } = await quantizeAndRun(network(), feeds);
    expect([...model.opsetImports]).toEqual([['', 18]]);
    const recipe = { ...STATIC, activations: 'uint16' as const };
    const other = await quantizeAndRun(network(), feeds, { recipe });
    expect([...other.model.opsetImports]).toEqual([
      ['', 18],
      ['com.microsoft', 1],
    ]);
    const newest = await quantizeAndRun(network(21), feeds, { recipe });
    expect([...newest.model.opsetImports]).toEqual([['', 21]]);
    expect(newest.decibels).toBeGreaterThan(35);
  });

  it('converts the opset only where a scheme needs it, and declines where it cannot', async () => {
    const { model } = await quantizeAndRun(network(11), feeds);
    expect(model.opset).toBe(13);
    const b = new ModelBuilder(6);
    const old = b.finish([
      b.add('MatMul', [b.input('x', [2, 4]), b.constant(random([4, 4]), 'w')], { outputs: ['y'] }),
    ]);
    const recipes = [{ node: nodeKeyOf(node(old, 'y')), recipe: STATIC }];
    const { declined } = applyPlan(old, { ...EMPTY_PLAN, recipes });
    expect(declined.map(({ reason }) => reason).join()).toContain('int8-static needs opset 13');
    expect(old.opset).toBe(6);
  });
});

describe('weights of a plan', () => {
  it('replace those of the graph before they are quantized, and the key is that of the old ones', async () => {
    const model = network();
    const { plan } = await staticPlan(model, feeds);
    const changed = random([4, 3, 3, 3], 9);
    expect(applyPlan(model, { ...plan, weights: new Map([['w1', changed]]) }).declined).toEqual([]);
    const expected = quantizeWeight('w1', changed, { dataType: 'int8', axis: 0 });
    const stored = [...model.graph.initializers].filter((value) => value.elementType === 'int8' && value.rank === 4);
    expect(stored.map((value) => value.initializer?.numbers())).toContainEqual(expected.integers.numbers());
  });

  it('that were rounded by data are stored as they are, if they fit the recipe', async () => {
    for (const axis of [0, undefined]) {
      const model = network();
      const { plan } = await staticPlan(model, feeds);
      const weight = node(model, 'c1').constantInput(1);
      if (weight === undefined) throw new Error('no weight');
      const nearest = quantizeWeight('w1', weight, { dataType: 'int8', ...(axis === undefined ? {} : { axis }) });
      const integers = Tensor.fromNumbers(
        'int8',
        weight.dims,
        nearest.integers.numbers().map((integer) => Math.trunc(integer / 2) * 2),
      );
      const rounded = { integers, parameters: nearest.parameters };
      applyPlan(model, { ...plan, quantizedWeights: new Map([['w1', rounded]]) });
      const stored = [...model.graph.initializers].map(
        (value) => value.initializer?.elementType === 'int8' && String(value.initializer.numbers()),
      );
      if (axis === 0) expect(stored).toContain(String(integers.numbers()));
      else expect(stored).not.toContain(String(integers.numbers()));
    }
  });

  it('that the model lacks, or of another type, are refused', () => {
    for (const [name, tensor] of [
      ['gone', random([1])],
      ['w1', Tensor.int64([1])],
    ] as const) {
      expect(() => applyPlan(network(), { ...EMPTY_PLAN, weights: new Map([[name, tensor]]) })).toThrow(
        expect.objectContaining({ code: 'PLAN_WEIGHT' }),
      );
    }
  });

  it('may have other shapes, where channels are gone', async () => {
    const model = network();
    const conv = node(model, 'c1');
    conv.output().type = { kind: 'tensor', elementType: 'float32', shape: [1, 4, 6, 6] };
    const weights = new Map([
      ['w1', random([3, 3, 3, 3])],
      ['b1', random([3])],
      ['w2', random([2, 3, 3, 3])],
    ]);
    applyPlan(model, { ...EMPTY_PLAN, weights });
    const outputs = await runModel(modelToBytes(model), feeds);
    expect((Object.values(outputs)[0] as { dims?: readonly number[] }).dims).toEqual([1, 2, 4, 4]);
  });
});

describe('a model that is quantized in part', () => {
  /** The first convolution is quantized in the file, the second is not. */
  async function partly(): Promise<Model> {
    const model = network();
    const { plan } = await staticPlan(model, feeds, { only: (each) => each.output().name !== 'c2' });
    expect(applyPlan(model, plan).declined).toEqual([]);
    return model;
  }

  it('keeps what it has, and the rest is quantized next to it', async () => {
    const model = await partly();
    const before = model.graph.nodes.filter(({ opType }) => opType === 'QuantizeLinear').length;
    expect(quantizableNodes(model).map((each) => each.output().name)).toEqual(['c2']);
    const { declined, decibels, bytes } = await quantizeAndRun(model, feeds);
    expect(declined).toEqual([]);
    expect(decibels).toBeGreaterThan(30);
    // r1 is quantized already; only the output is new.
    expect(model.graph.nodes.filter(({ opType }) => opType === 'QuantizeLinear').length).toBe(before + 1);
    expect((await optimizedOperators(bytes)).filter((opType) => opType === 'QLinearConv').length).toBe(2);
  });

  it('is as good as one that was quantized at once', async () => {
    const [one, other] = [await partly(), network()];
    const expected = (await runModel(modelToBytes(network()), feeds)) as Outputs;
    const first = await quantizeAndRun(one, feeds);
    const second = await quantizeAndRun(other, feeds);
    expect(Math.abs(signalToNoise(expected, first.after) - second.decibels)).toBeLessThan(3);
  });

  it('with weights that are quantized already is left alone', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [2, 4]);
    const stored = b.constant(
      Tensor.fromNumbers(
        'int8',
        [4, 4],
        randomFloats(16).map((number) => Math.round(number * 100)),
      ),
    );
    const weight = b.add('DequantizeLinear', [stored, b.scalar(0.01)]);
    const model = b.finish([b.add('MatMul', [x, weight], { outputs: ['y'] })]);
    expect(quantizableNodes(model)).toEqual([]);
    const recipes = [{ node: nodeKeyOf(node(model, 'y')), recipe: STATIC }];
    const { declined } = applyPlan(model, { ...EMPTY_PLAN, recipes });
    expect(declined).toEqual([{ node: 'y', reason: "MatMul 'y' is quantized already" }]);
  });
});

describe('nodes that static quantization leaves alone', () => {
  it.each<[string, (b: ModelBuilder) => ReturnType<ModelBuilder['add']>, string]>([
    [
      'computed weights',
      (b) => b.add('Conv', [b.input('x', [1, 1, 4, 4]), b.input('w', [1, 1, 1, 1])], { outputs: ['y'] }),
      'not constant',
    ],
    ['no kernel', (b) => b.add('Erf', [b.input('x', [4])], { outputs: ['y'] }), 'no Erf on 8-bit integers'],
    [
      'other types',
      (b) => typed(b.add('Add', [b.input('x', [4], 'int64'), b.int64([1])], { outputs: ['y'] }), 'int64'),
      'is int64',
    ],
    ['constants', (b) => b.add('Add', [b.floats([1]), b.floats([2])], { outputs: ['y'] }), 'nothing but constants'],
    ['NaN', (b) => b.add('Mul', [b.input('x', [4]), b.floats([Number.NaN])], { outputs: ['y'] }), 'not finite'],
    [
      'infinite weights',
      (b) => b.add('MatMul', [b.input('x', [1, 1]), b.floats([Number.POSITIVE_INFINITY], [1, 1])], { outputs: ['y'] }),
      'not finite',
    ],
    [
      'a matrix for bias',
      (b) =>
        b.add('Gemm', [b.input('x', [2, 2]), b.floats([1, 2, 3, 4], [2, 2]), b.floats([1, 2, 3, 4], [2, 2])], {
          outputs: ['y'],
        }),
      'not one number per channel',
    ],
    [
      'nothing quantized around',
      (b) => b.add('Transpose', [b.input('x', [2, 2])], { outputs: ['y'] }),
      "Transpose 'y' follows others, and nothing next to it is quantized",
    ],
    [
      'a table',
      (b) => b.add('Gather', [b.floats([1, 2]), b.input('i', [1], 'int64')], { outputs: ['y'] }),
      'int8-embedding',
    ],
  ])('%s', (_name, build, reason) => {
    const b = new ModelBuilder(18);
    const model = b.finish([build(b)]);
    const before = modelToBytes(model);
    const recipes = [{ node: nodeKeyOf(node(model, 'y')), recipe: STATIC }];
    const { declined } = applyPlan(model, { ...EMPTY_PLAN, recipes });
    expect(declined.map((entry) => entry.reason).join()).toContain(reason);
    expect(Buffer.compare(modelToBytes(model), before)).toBe(0);
  });
});

describe('ranges', () => {
  it('are asked for of what is quantized, and of nothing else', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [1, 3, 12, 12]);
    const conv = b.add('Conv', [x, b.constant(random([4, 3, 3, 3]))], { outputs: ['conv'] });
    const relu = b.add('Relu', [conv], { outputs: ['relu'] });
    const pooled = b.add('MaxPool', [relu], {
      attributes: { kernel_shape: attribute.ints([2, 2]), strides: attribute.ints([2, 2]) },
      outputs: ['pooled'],
    });
    const flat = b.add('Flatten', [pooled], { outputs: ['flat'] });
    const scores = b.add('MatMul', [flat, b.constant(random([100, 3]))], { outputs: ['scores'] });
    const model = b.finish([b.add('Softmax', [scores], { outputs: ['softmax'] })]);
    const shape = { x: randomTensor([1, 3, 12, 12]) };
    // conv shares with relu, pooled and flat share its parameters, softmax goes from 0 to 1.
    const { ranges } = await staticPlan(model, shape);
    expect([...ranges.keys()]).toEqual(['x', 'relu', 'scores']);
    expect((await recordRanges(model, ['relu'], shape)).get('relu')?.min).toBe(0);
    const { declined, decibels } = await quantizeAndRun(model, shape);
    expect(declined).toEqual([]);
    expect(decibels).toBeGreaterThan(20);
  });
});
