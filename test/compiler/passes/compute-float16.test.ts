import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { computeFloat16 } from '../../../lib/compiler/passes/compute-float16.js';
import { signalToNoise } from '../../support/before-and-after.js';
import { convertToHalf } from '../../support/convert-to-half.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';
import { runModel } from '../../support/run-model.js';

/** Operators with the precision of their first output's type, as onnxruntime runs them: casts are left out. */
const operators = (model: Model) => [...nodesOf(model)].map((node) => node.opType);
const count = (model: Model, opType: string) => operators(model).filter((each) => each === opType).length;

const weights = (b: ModelBuilder, dims: readonly number[], seed = 1) =>
  b.floats(
    randomFloats(
      dims.reduce((total, size) => total * size, 1),
      seed,
    ),
    dims,
  );

describe('graphs in half precision', () => {
  it('hold float16 weights, with a Cast at each end', async () => {
    const b = new ModelBuilder(13);
    const hidden = b.add('Relu', [b.add('MatMul', [b.input('x', ['n', 8]), weights(b, [8, 16])])]);
    const model = b.finish([b.add('MatMul', [hidden, weights(b, [16, 4], 2)], { outputs: ['y'] })]);
    const { before, after } = await convertToHalf(model, { x: randomTensor([3, 8]) });
    expect(operators(model)).toEqual(['Cast', 'MatMul', 'Relu', 'MatMul', 'Cast']);
    expect([...model.graph.initializers].map(({ elementType }) => elementType)).toEqual(['float16', 'float16']);
    expect(signalToNoise(before, after)).toBeGreaterThan(50);
  });

  it('may take and give float16', async () => {
    const b = new ModelBuilder(13);
    const model = b.finish([b.add('MatMul', [b.input('x', ['n', 8]), weights(b, [8, 16])], { outputs: ['y'] })]);
    computeFloat16({ keepSignature: false }).run(model);
    validate(model);
    expect(operators(model)).toEqual(['MatMul']);
    const x = new RuntimeTensor('float16', new Uint16Array(8).fill(0x3c00), [1, 8]);
    const { y } = await runModel(modelToBytes(model), { x });
    expect((y as RuntimeTensor).type).toBe('float16');
  });

  it('leave blocked operators in single precision, with Casts around them', async () => {
    const b = new ModelBuilder(13);
    const x = b.add('MatMul', [b.input('x', [2, 8]), weights(b, [8, 8])]);
    const [values] = b.addAll('TopK', [x, b.int64([3])], { outputs: ['top', 'indices'] });
    const model = b.finish([b.add('Relu', [values as Value], { outputs: ['y'] })]);
    const { before, after, declined } = await convertToHalf(model, { x: randomTensor([2, 8]) });
    expect(operators(model)).toEqual(['Cast', 'MatMul', 'Cast', 'TopK', 'Cast', 'Relu', 'Cast']);
    expect(declined).toEqual(["TopK 'top' stays in float32: it has no float16, or leaves it easily"]);
    expect(signalToNoise(before, after)).toBeGreaterThan(50);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y']);
  });

  it('keep the names of outputs that are read, constants, or inputs', async () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', [2, 8]);
    const shared = weights(b, [8, 8]);
    const first = b.add('MatMul', [x, shared], { outputs: ['first'] });
    const second = b.add('Exp', [b.add('MatMul', [first, shared])], { outputs: ['second'] });
    const model = b.finish([first, second, shared, b.add('Identity', [x], { outputs: ['same'] })]);
    const names = ['first', 'second', shared.name, 'same'];
    const { before, after } = await convertToHalf(model, { x: randomTensor([2, 8]) });
    expect(signalToNoise(before, after)).toBeGreaterThan(40);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(names);
    // What was converted once is not converted again; without a signature to keep, its ends are.
    computeFloat16({ keepSignature: false }).run(model);
    validate(model);
    const feeds = { x: new RuntimeTensor('float16', new Uint16Array(16).fill(0x3c00), [2, 8]) };
    const outputs = Object.entries(await runModel(modelToBytes(model), feeds));
    expect(outputs.map(([name, value]) => [name, (value as RuntimeTensor).type])).toEqual(
      names.map((name) => [name, 'float16']),
    );
  });

  it.each([
    [
      'Cast',
      (b: ModelBuilder, x: Value) =>
        b.add('Cast', [b.add('Greater', [x, b.scalar(0)])], { attributes: { to: attribute.int(1) } }),
    ],
    [
      'ConstantOfShape',
      (b: ModelBuilder, x: Value) => {
        const value = attribute.tensor(Tensor.fromNumbers('float32', [1], [0.5]));
        return b.add('Add', [x, b.add('ConstantOfShape', [b.add('Shape', [x])], { attributes: { value } })]);
      },
    ],
    [
      'ConstantOfShape by default',
      (b: ModelBuilder, x: Value) => b.add('Add', [x, b.add('ConstantOfShape', [b.add('Shape', [x])])]),
    ],
    [
      'Constant',
      (b: ModelBuilder, x: Value) => {
        const value = attribute.tensor(Tensor.fromNumbers('float32', [8], randomFloats(8)));
        return b.add('Mul', [x, b.add('Constant', [], { attributes: { value } })]);
      },
    ],
    [
      'Resize',
      (b: ModelBuilder, x: Value) => {
        const picture = b.add('Reshape', [x, b.int64([1, 1, 4, 4])]);
        return b.add('Resize', [picture, b.floats([]), b.floats([1, 1, 2, 2])], {
          attributes: { mode: attribute.string('linear') },
        });
      },
    ],
  ])('say float16 where %s names a type', async (_, add) => {
    const b = new ModelBuilder(13);
    const product = b.add('MatMul', [b.input('x', [2, 8]), weights(b, [8, 8])]);
    const model = b.finish([b.add('Relu', [add(b, product)], { outputs: ['y'] })]);
    const { before, after, declined } = await convertToHalf(model, { x: randomTensor([2, 8], 3, 0.5, 1) });
    expect(declined).toEqual([]);
    expect(model.graph.nodes.filter((node) => node.is('Cast') && node.int('to') === 1)).toHaveLength(1);
    expect(signalToNoise(before, after)).toBeGreaterThan(45);
  });

  it('reach into If, Loop and Scan, with what they take from outside and leave', async () => {
    const b = new ModelBuilder(13);
    const w = weights(b, [8, 8]);
    const x = b.add('MatMul', [b.input('x', [4, 8]), w]);
    const float = (value: Value): Value => {
      value.type = { kind: 'tensor', elementType: 'float32', shape: undefined };
      return value;
    };
    const branch = (opType: string) => {
      const inner = new ModelBuilder(13, opType);
      // Topk stays in single precision, the products do not.
      const [top] = inner.addAll('TopK', [inner.add('MatMul', [x, w], { outputs: [`${opType}_p`] }), b.int64([8])], {
        outputs: [`${opType}_top`, `${opType}_indices`],
      });
      return attribute.graph(inner.finishGraph(inner.add(opType, [top as Value], { outputs: [`${opType}_y`] })));
    };
    const condition = b.add('Greater', [
      b.add('ReduceMax', [x], { attributes: { keepdims: attribute.int(0) } }),
      b.scalar(0),
    ]);
    const chosen = b.add('If', [condition], {
      attributes: { then_branch: branch('Sigmoid'), else_branch: branch('Tanh') },
    });

    const loop = new ModelBuilder(13, 'loop');
    loop.input('round', [], 'int64');
    const goOn = loop.input('go_on', [], 'bool');
    const state = loop.input('state', [4, 8]);
    const next = loop.add('Tanh', [loop.add('MatMul', [state, w], { outputs: ['step'] })], { outputs: ['next'] });
    const still = typed(loop.add('Identity', [goOn], { outputs: ['still'] }), 'bool');
    loop.graph.setOutputs([still, float(next)]);
    const looped = b.add('Loop', [b.int64([3], []), undefined, chosen], {
      attributes: { body: attribute.graph(loop.graph) },
    });

    const scan = new ModelBuilder(13, 'scan');
    const [sum, row] = [scan.input('sum', [8]), scan.input('row', [8])];
    const total = float(scan.add('Add', [sum, row], { outputs: ['total'] }));
    const seen = float(scan.add('Mul', [total, b.scalar(0.5)], { outputs: ['seen'] }));
    scan.graph.setOutputs([total, seen]);
    const start = b.floats(new Float32Array(8));
    const scanned = b.addAll('Scan', [start, looped], {
      outputs: ['end', 'all'],
      attributes: { body: attribute.graph(scan.graph), num_scan_inputs: attribute.int(1) },
    });
    const model = b.finish([looped, ...scanned]);
    const { before, after, declined } = await convertToHalf(model, { x: randomTensor([4, 8]) });
    expect(declined).toHaveLength(2);
    expect(signalToNoise(before, after)).toBeGreaterThan(40);
    // In each branch one Cast to TopK and one back; in the main graph one at the input and one for each output.
    expect(count(model, 'Cast')).toBe(4 + 1 + 3);
    expect([...model.graph.initializers].filter((value) => value.elementType === 'float32')).toEqual([]);
  });
});

describe('stay in single precision', () => {
  it('masks that float16 cannot hold, until a Softmax has made them small', async () => {
    const b = new ModelBuilder(13);
    const x = b.add('MatMul', [b.input('x', [2, 8]), weights(b, [8, 8])]);
    const lowest = -3.4028234663852886e38;
    // A row that is masked as a whole: with -infinity its Softmax would be NaN.
    const mask = b.floats([...new Array(8).fill(lowest), 0, 0, ...new Array(6).fill(lowest)], [2, 8]);
    const probability = b.add('Softmax', [b.add('Add', [x, b.add('Reshape', [mask, b.int64([2, 8])])])]);
    const model = b.finish([b.add('MatMul', [probability, weights(b, [8, 4], 2)], { outputs: ['y'] })]);
    const { before, after, declined } = await convertToHalf(model, { x: randomTensor([2, 8]) });
    expect(declined.map((reason) => reason.split(' ')[0])).toEqual(['Reshape', 'Add', 'Softmax']);
    expect(signalToNoise(before, after)).toBeGreaterThan(45);
  });

  it('sizes that exceed float16', async () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', ['n', 'm']);
    // 131,072 numbers.
    const size = b.add('Cast', [b.add('Size', [x])], { attributes: { to: attribute.int(1) } });
    const root = b.add('Sqrt', [size]);
    const model = b.finish([b.add('Mul', [b.add('Relu', [x]), root], { outputs: ['y'] })]);
    const { before, after } = await convertToHalf(model, { x: randomTensor([512, 256]) });
    expect(signalToNoise(before, after)).toBeGreaterThan(50);
  });

  it('squares, and what a variance is computed with', async () => {
    const b = new ModelBuilder(13);
    const x = b.add('Mul', [b.input('x', [2, 8]), b.scalar(300)]);
    const square = b.add('Mul', [x, x]);
    const mean = b.add('ReduceMean', [square], { attributes: { axes: attribute.ints([-1]) } });
    const deviation = b.add('Sqrt', [b.add('Add', [mean, b.scalar(1e-12)])]);
    const model = b.finish([b.add('Div', [x, deviation], { outputs: ['y'] })]);
    const { before, after } = await convertToHalf(model, { x: randomTensor([2, 8], 3, 2, 4) });
    expect(signalToNoise(before, after)).toBeGreaterThan(50);
  });

  it('an epsilon that float16 would round to 0', async () => {
    const b = new ModelBuilder(13);
    const x = b.add('Relu', [b.input('x', [2, 8])]);
    const model = b.finish([b.add('Div', [x, b.add('Add', [x, b.scalar(1e-12)])], { outputs: ['y'] })]);
    const { after, declined } = await convertToHalf(model, { x: randomTensor([2, 8], 1, -1, 0) });
    expect(declined.join()).toContain('of its norm');
    expect(after.y?.data).toEqual(new Float32Array(16));
  });

  it('weights that overflow, beside others that do not', async () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', [2, 8]);
    const large = b.floats(randomFloats(64, 1, -1e6, 1e6), [8, 8]);
    const model = b.finish([
      b.add('MatMul', [b.add('Tanh', [b.add('MatMul', [x, large])]), weights(b, [8, 8])], { outputs: ['y'] }),
    ]);
    const { before, after } = await convertToHalf(model, { x: randomTensor([2, 8]) });
    expect([...model.graph.initializers].map(({ elementType }) => elementType).sort()).toEqual(['float16', 'float32']);
    expect(signalToNoise(before, after)).toBeGreaterThan(40);
  });

  it('what makes numbers of its own', async () => {
    const b = new ModelBuilder(13);
    const x = b.add('MatMul', [b.input('x', [2, 8]), weights(b, [8, 8])]);
    const one = attribute.float(1);
    const attributes = { shape: attribute.ints([2, 8]), low: one, high: one };
    const model = b.finish([b.add('Mul', [x, b.add('RandomUniform', [], { attributes })], { outputs: ['y'] })]);
    const { before, after, declined } = await convertToHalf(model, { x: randomTensor([2, 8]) });
    expect(declined.map((reason) => reason.split(' ')[0])).toEqual(['RandomUniform']);
    expect(signalToNoise(before, after)).toBeGreaterThan(50);
  });

  it('other domains and values of unknown type', async () => {
    const b = new ModelBuilder(13);
    const x = b.add('MatMul', [b.input('x', [2, 8]), weights(b, [8, 8])]);
    const gelu = b.add('Gelu', [x], { domain: 'com.microsoft' });
    const model = b.finish([b.add('MatMul', [b.add('Relu', [gelu]), weights(b, [8, 8], 2)], { outputs: ['y'] })]);
    model.opsetImports.set('com.microsoft', 1);
    const { before, after, declined } = await convertToHalf(model, { x: randomTensor([2, 8]) });
    expect(declined).toHaveLength(3);
    expect(signalToNoise(before, after)).toBeGreaterThan(50);
  });

  it('a graph without anything to convert, which stays as it was', () => {
    const b = new ModelBuilder(13);
    const model = b.finish([b.add('Exp', [b.input('x', [2])], { outputs: ['y'] })]);
    const before = modelToBytes(model);
    expect(computeFloat16().run(model)).toMatchObject({ modified: false });
    expect(modelToBytes(model)).toEqual(before);
  });
});
