/** Where quantizers commonly go wrong, onnxruntime's own in Python among them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes, writeModel } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { applyPlan } from '../../../lib/compiler/quantize/apply-plan.js';
import { activationParameters } from '../../../lib/compiler/quantize/parameters/scale-and-zero-point.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { type Outputs, signalToNoise } from '../../support/before-and-after.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { optimizedOperators } from '../../support/optimized-graph.js';
import { STATIC, staticPlan } from '../../support/quantization-plan.js';
import { quantizeAndRun } from '../../support/quantize-and-run.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';
import { runModel } from '../../support/run-model.js';
import { PRODUCTS_SATURATE } from '../../support/saturating-cpu.js';

const { int, ints } = attribute;
const random = (dims: readonly number[], seed = 1) =>
  Tensor.fromNumbers(
    'float32',
    dims,
    randomFloats(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
const initializers = (model: Model, elementType: string) =>
  [...model.graph.initializers].filter((value) => value.elementType === elementType && (value.rank ?? 0) > 1);

const numbersOf = (outputs: Outputs) => Object.values(outputs).flatMap(({ data }) => [...(data as Float32Array)]);

describe('weights that several nodes read', () => {
  it.skipIf(PRODUCTS_SATURATE)('a transposed Gemm weight serves both of its nodes', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [4, 8]);
    const shared = b.constant(random([6, 8]), 'shared');
    const attributes = { transB: int(1) };
    const first = b.add('Gemm', [x, shared, b.floats(randomFloats(6, 2))], { attributes });
    const second = b.add('Gemm', [b.add('Neg', [x]), shared, b.floats(randomFloats(6, 3))], { attributes });
    const { model, decibels, bytes } = await quantizeAndRun(b.finish([first, second]), {
      x: randomTensor([4, 8]),
    });
    expect(decibels).toBeGreaterThan(35);
    expect(initializers(model, 'int8').length).toBe(1);
    expect(initializers(model, 'float32')).toEqual([]);
    expect((await optimizedOperators(bytes)).filter((opType) => opType === 'QGemm').length).toBe(2);
  });

  it.skipIf(PRODUCTS_SATURATE)(
    'stay in float32 for the nodes that stay there, and are written once more for each other axis',
    async () => {
      const b = new ModelBuilder(18);
      const x = b.input('x', [8, 8]);
      const shared = b.constant(random([8, 8]), 'shared');
      const outputs = [
        b.add('MatMul', [x, shared], { outputs: ['columns'] }),
        b.add('Gemm', [x, shared], { attributes: { transB: int(1) }, outputs: ['rows'] }),
        b.add('MatMul', [b.add('Abs', [x]), shared], { outputs: ['exact'] }),
      ];
      const { model, decibels, before, after } = await quantizeAndRun(
        b.finish(outputs),
        { x: randomTensor([8, 8]) },
        { only: (node) => node.output().name !== 'exact' },
      );
      expect(decibels).toBeGreaterThan(35);
      expect(after.exact?.data).toEqual(before.exact?.data);
      expect(initializers(model, 'int8').length).toBe(2);
      expect(initializers(model, 'float32').map(({ name }) => name)).toEqual(['shared']);
    },
  );

  it.skipIf(PRODUCTS_SATURATE)('are stored once where the parameters are the same', async () => {
    const b = new ModelBuilder(18);
    const shared = b.constant(random([4, 4, 3, 3]), 'shared');
    let x: Value = b.input('x', [1, 4, 12, 12]);
    for (let layer = 0; layer < 3; layer++)
      x = b.add('Conv', [x, shared], { attributes: { pads: ints([1, 1, 1, 1]) } });
    const { model, decibels } = await quantizeAndRun(b.finish([x]), { x: randomTensor([1, 4, 12, 12]) });
    expect(decibels).toBeGreaterThan(25);
    expect(initializers(model, 'int8').length).toBe(1);
    expect(initializers(model, 'float32')).toEqual([]);
  });
});

describe('weights of any form', () => {
  it.skipIf(PRODUCTS_SATURATE)('of rank 3 run with per-channel recipes', async () => {
    const b = new ModelBuilder(18);
    const y = b.add('MatMul', [b.input('x', [3, 4, 8]), b.constant(random([3, 8, 5]))]);
    const model = b.finish([b.add('MatMul', [y, b.constant(random([3, 5, 2], 2))])]);
    const { decibels, bytes } = await quantizeAndRun(model, { x: randomTensor([3, 4, 8]) });
    expect(decibels).toBeGreaterThan(30);
    expect(await optimizedOperators(bytes)).toContain('QLinearMatMul');
  });

  it('in Constant nodes are weights like others', async () => {
    const b = new ModelBuilder(18);
    const constant = (tensor: Tensor) => b.add('Constant', [], { attributes: { value: attribute.tensor(tensor) } });
    const x = b.input('x', [1, 3, 8, 8]);
    const y = b.add('Conv', [x, constant(random([4, 3, 3, 3])), constant(random([4], 2))]);
    const { declined, model, decibels } = await quantizeAndRun(b.finish([y]), { x: randomTensor([1, 3, 8, 8]) });
    expect(declined).toEqual([]);
    expect(initializers(model, 'int8').length).toBe(1);
    expect(decibels).toBeGreaterThan(35);
  });

  it('in files of their own are read from there', async () => {
    const b = new ModelBuilder(18);
    const y = b.add('MatMul', [b.input('x', [2, 64]), b.constant(random([64, 64]))]);
    const folder = mkdtempSync(join(tmpdir(), 'traps-'));
    try {
      const path = join(folder, 'model.onnx');
      const model = b.finish([y]);
      await writeModel(model, path, { externalData: { file: 'weights', minimumBytes: 16 } });
      const feeds = { x: randomTensor([2, 64]) };
      const { plan } = await staticPlan(model, feeds);
      const read = await readOnnx(path);
      expect([...read.graph.initializers][0]?.initializer?.storage.kind).toBe('external');
      expect(applyPlan(read, plan).declined).toEqual([]);
      expect(initializers(read, 'int8').length).toBe(1);
      applyPlan(model, plan);
      const integers = (each: Model) => initializers(each, 'int8')[0]?.initializer?.numbers();
      expect(integers(read)).toEqual(integers(model));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('make room for a bias that would overflow', async () => {
    const weight = randomFloats(32).map((number) => number * 1e-6);
    for (const recipe of [STATIC, { ...STATIC, perChannel: false }]) {
      const b = new ModelBuilder(18);
      const inputs = [b.input('x', [3, 8]), b.floats(weight, [4, 8]), b.floats([5000, -3000, 0, 1e-3])];
      const gemm = b.add('Gemm', inputs, { attributes: { transB: int(1) } });
      const { decibels } = await quantizeAndRun(b.finish([gemm]), { x: randomTensor([3, 8]) }, { recipe });
      expect(decibels).toBeGreaterThan(80);
    }
  });
});

describe('the rest of the model', () => {
  function rectified() {
    const b = new ModelBuilder(18);
    const conv = b.add('Conv', [b.input('x', [1, 3, 8, 8]), b.constant(random([4, 3, 3, 3]))]);
    return { model: b.finish([b.add('Relu', [conv])]), feeds: { x: randomTensor([1, 3, 8, 8]) } };
  }

  it('keeps names, types and order of its outputs, also of those that are read', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', ['batch', 3, 8, 8]);
    const conv = b.add('Conv', [x, b.constant(random([4, 3, 3, 3]))], { outputs: ['middle'] });
    const relu = b.add('Relu', [conv], { outputs: ['last'] });
    const model = b.finish([relu, conv]);
    relu.type = { kind: 'tensor', elementType: 'float32', shape: ['batch', 4, 6, 6] };
    const { decibels, after } = await quantizeAndRun(model, { x: randomTensor([2, 3, 8, 8]) });
    expect(Object.keys(after)).toEqual(['last', 'middle']);
    expect(model.graph.outputs.map(({ name, type }) => ({ name, type }))).toEqual([
      { name: 'last', type: { kind: 'tensor', elementType: 'float32', shape: ['batch', 4, 6, 6] } },
      { name: 'middle', type: { kind: 'tensor', elementType: 'float32', shape: undefined } },
    ]);
    expect(decibels).toBeGreaterThan(30);
  });

  it('means the same after its opset was raised', async () => {
    const b = new ModelBuilder(11);
    const x = b.input('x', [2, 3, 8]);
    const y = b.add('MatMul', [x, b.constant(random([8, 6]))]);
    // Until opset 13 over all axes from this one on, and axes were attributes.
    const softmax = b.add('Softmax', [y], { attributes: { axis: int(1) } });
    const model = b.finish([b.add('Unsqueeze', [softmax], { attributes: { axes: ints([0]) } })]);
    const { decibels } = await quantizeAndRun(
      model,
      { x: randomTensor([2, 3, 8]) },
      { only: (node) => node.is('MatMul') },
    );
    expect(model.opset).toBe(13);
    expect(decibels).toBeGreaterThan(30);
  });

  it('keeps a Relu whose input others read', async () => {
    const b = new ModelBuilder(18);
    const conv = b.add('Conv', [b.input('x', [1, 3, 8, 8]), b.constant(random([4, 3, 3, 3]))]);
    const relu = b.add('Relu', [conv]);
    const model = b.finish([b.add('Add', [relu, b.add('Abs', [conv])])]);
    const { decibels } = await quantizeAndRun(model, { x: randomTensor([1, 3, 8, 8]) });
    expect(model.graph.nodes.filter((node) => node.is('Relu')).length).toBe(1);
    expect(decibels).toBeGreaterThan(30);
  });

  it.each(['uint8', 'int8', 'uint16'] as const)(
    'folds a Relu into %s, whose lowest integer is 0',
    async (activations) => {
      const { model, feeds } = rectified();
      const { decibels } = await quantizeAndRun(model, feeds, { recipe: { ...STATIC, activations } });
      expect(model.graph.nodes.filter((node) => node.is('Relu'))).toEqual([]);
      expect(decibels).toBeGreaterThan(30);
    },
  );

  it('keeps a Relu in front of integers with 0 in the middle', async () => {
    const { model, feeds } = rectified();
    const { plan, ranges } = await staticPlan(model, feeds);
    const activations = [...ranges].map(([name, range]) =>
      activationParameters(name, range, { dataType: 'int8', symmetric: true }),
    );
    const before = (await runModel(modelToBytes(model), feeds)) as Outputs;
    applyPlan(model, { ...plan, activations });
    expect(model.graph.nodes.filter((node) => node.is('Relu')).length).toBe(1);
    const after = (await runModel(modelToBytes(model), feeds, { graphOptimizationLevel: 'all' })) as Outputs;
    expect(signalToNoise(before, after)).toBeGreaterThan(30);
    expect(Math.min(...numbersOf(after))).toBe(0);
  });

  it('keeps a Clip that cuts off more than the range', async () => {
    const b = new ModelBuilder(18);
    const conv = b.add('Conv', [b.input('x', [1, 3, 8, 8]), b.constant(random([4, 3, 3, 3]))]);
    // 0 is in every range, and below the clip.
    const model = b.finish([b.add('Clip', [conv, b.scalar(0.5), b.scalar(1.5)])]);
    const { after } = await quantizeAndRun(model, { x: randomTensor([1, 3, 8, 8]) });
    expect(model.graph.nodes.filter((node) => node.is('Clip')).length).toBe(1);
    expect(Math.min(...numbersOf(after))).toBeGreaterThan(0.49);
  });
});

describe('subgraphs', () => {
  /** Both branches multiply a value from outside by a weight from outside, and one by a weight of its own. */
  function branching(): Model {
    const b = new ModelBuilder(18);
    const x = b.input('x', [4, 8]);
    const condition = b.input('condition', [], 'bool');
    const shared = b.constant(random([8, 8]), 'shared');
    const hidden = b.add('MatMul', [x, shared], { outputs: ['hidden'] });
    const branch = (name: string, own: boolean) => {
      const inner = new ModelBuilder(18, name);
      const weight = own ? inner.constant(random([8, 8], 3), `${name}_weight`) : shared;
      return attribute.graph(inner.finishGraph(inner.add('MatMul', [hidden, weight], { outputs: [`${name}_output`] })));
    };
    const attributes = { then_branch: branch('then', false), else_branch: branch('else', true) };
    return b.finish([b.add('If', [condition], { attributes })]);
  }

  it.skipIf(PRODUCTS_SATURATE).each([true, false])('quantize what they take from outside: %s', async (condition) => {
    const { default: ort } = await import('onnxruntime-node');
    const model = branching();
    const feeds = { x: randomTensor([4, 8]), condition: new ort.Tensor('bool', [condition], []) };
    const { declined, decibels } = await quantizeAndRun(model, feeds);
    expect(declined).toEqual([]);
    expect(decibels).toBeGreaterThan(30);
    const stored = [...nodesOf(model)].flatMap((node) => node.constantInput(0) ?? []);
    expect(stored.filter(({ elementType, dims }) => elementType === 'int8' && dims.length === 2).length).toBe(3);
    const float = [...model.graph.initializers].filter((value) => value.elementType === 'float32' && value.rank === 2);
    expect(float).toEqual([]);
    // Of one value there is one QuantizeLinear, however many graphs read it.
    expect([...nodesOf(model)].filter(({ opType }) => opType === 'QuantizeLinear').length).toBe(2);
  });

  it('that run in a loop keep their state exact', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [2, 8]);
    const body = new ModelBuilder(18, 'body');
    body.input('round', [], 'int64');
    const goOn = body.input('go_on', [], 'bool');
    const state = body.input('state', [2, 8]);
    const next = body.add('Add', [state, body.add('MatMul', [x, body.constant(random([8, 8], 2))])]);
    const still = body.add('Identity', [goOn]);
    still.type = { kind: 'tensor', elementType: 'bool', shape: [] };
    const graph = body.finishGraph(still, next);
    const rounds = b.constant(Tensor.int64([3], []));
    const y = b.add('Loop', [rounds, undefined, x], { attributes: { body: attribute.graph(graph) } });
    const only = (node: { opType: string }) => node.opType === 'MatMul';
    const { model, decibels } = await quantizeAndRun(b.finish([y]), { x: randomTensor([2, 8]) }, { only });
    expect(decibels).toBeGreaterThan(35);
    expect([...nodesOf(model)].filter(({ opType }) => opType === 'DequantizeLinear').length).toBe(2);
  });
});
