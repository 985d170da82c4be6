import fc from 'fast-check';
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { DynamicRecipe } from '../../../../lib/artifact/recipe.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../../lib/compiler/ir/traversal.js';
import { dequantizeTensor, quantizeWeight } from '../../../../lib/compiler/quantize/parameters/quantize-weight.js';
import { dynamicScheme } from '../../../../lib/compiler/quantize/schemes/dynamic.js';
import { applyScheme } from '../../../support/apply-scheme.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { dynamicProduct, product, relativeError } from '../../../support/quantization/emulated-products.js';
import { optimizedOperators } from '../../../support/quantization/optimized-operators.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';
import { PRODUCTS_SATURATE } from '../../../support/saturating-cpu.js';

const RECIPE: DynamicRecipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false };

const [ROWS, INNER, COLUMNS] = [5, 48, 12];

const count = (model: Model, opType: string) => [...nodesOf(model)].filter((node) => node.opType === opType).length;
const numbersOf = (value: unknown) => (value as RuntimeTensor).data as Float32Array;

const matrix = (b: ModelBuilder, dims: readonly number[], seed = 1, name?: string) => {
  const size = dims.reduce((total, each) => total * each, 1);
  return b.constant(Tensor.fromTyped('float32', dims, randomFloats(size, seed)), name);
};

interface Example {
  readonly opType: 'MatMul' | 'Gemm';
  readonly transB: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly bias: 'none' | 'row' | 'vector' | 'column' | 'scalar' | 'input';
  readonly recipe: DynamicRecipe;
  readonly seed: number;
}

const examples: fc.Arbitrary<Example> = fc.record({
  opType: fc.constantFrom('MatMul', 'Gemm'),
  transB: fc.boolean(),
  alpha: fc.constantFrom(1, 0.5, -2),
  beta: fc.constantFrom(1, 0, 3),
  bias: fc.constantFrom('none', 'row', 'vector', 'column', 'scalar', 'input'),
  recipe: fc.record({
    scheme: fc.constant('int8-dynamic'),
    weights: fc.constantFrom('int8', 'uint8'),
    perChannel: fc.boolean(),
    reduceRange: fc.boolean(),
  }),
  seed: fc.nat({ max: 1000 }),
});

const BIAS_DIMS = { row: [1, COLUMNS], vector: [COLUMNS], column: [ROWS, 1], scalar: [], input: [ROWS, COLUMNS] };

function build({ opType, transB, alpha, beta, bias, seed }: Example) {
  const b = new ModelBuilder(13);
  const inputs = [b.input('x', ['rows', INNER])];
  const feeds: Record<string, RuntimeTensor> = { x: randomTensor([ROWS, INNER], seed) };
  const isGemm = opType === 'Gemm';
  inputs.push(matrix(b, isGemm && transB ? [COLUMNS, INNER] : [INNER, COLUMNS], seed + 1, 'w'));
  let added: readonly number[] = [0];
  if (isGemm && bias !== 'none') {
    const dims = BIAS_DIMS[bias];
    added = [
      ...randomFloats(
        dims.reduce((total, size) => total * size, 1),
        seed + 2,
      ),
    ];
    if (bias === 'input') feeds.c = new RuntimeTensor('float32', Float32Array.from(added), dims);
    inputs.push(bias === 'input' ? b.input('c', dims) : b.floats(added, dims));
  }
  const attributes = isGemm
    ? { transB: attribute.int(transB ? 1 : 0), alpha: attribute.float(alpha), beta: attribute.float(beta) }
    : {};
  const y = b.add(opType, inputs, { attributes, outputs: ['y'] });
  const at = (row: number, column: number) => {
    if (bias === 'column') return added[row] ?? 0;
    return added[bias === 'input' ? row * COLUMNS + column : added.length === 1 ? 0 : column] ?? 0;
  };
  return {
    model: b.finish([y]),
    feeds,
    bias: isGemm ? (row: number, column: number) => beta * at(row, column) : () => 0,
  };
}

describe('products with their input quantized at run time', () => {
  it.skipIf(PRODUCTS_SATURATE)('are what the integers say, with every option of Gemm', async () => {
    await fc.assert(
      fc.asyncProperty(examples, async (example) => {
        const { model, feeds, bias } = build(example);
        const { weights: dataType, perChannel, reduceRange } = example.recipe;
        const transposed = example.opType === 'Gemm' && example.transB;
        const alpha = example.opType === 'Gemm' ? example.alpha : 1;
        const w = [...model.graph.initializers].find(({ name }) => name === 'w')?.initializer as Tensor;
        const axis = perChannel ? { axis: transposed ? 0 : 1 } : {};
        const { integers, parameters } = quantizeWeight('w', w, { dataType, reduceRange, ...axis });
        const flip = (tensor: Tensor) => (transposed ? transposedCopy(tensor) : tensor);
        const expected = dynamicProduct(numbersOf(feeds.x), { ...parameters, integers: flip(integers) }).map(
          (number, index) => alpha * number + bias(Math.floor(index / COLUMNS), index % COLUMNS),
        );
        const fp32 = numbersOf((await runModel(modelToBytes(model), feeds)).y);
        expect(applyScheme(model, dynamicScheme, example.recipe).rewritten).toEqual(['y']);
        for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
          const { y } = await runModel(modelToBytes(model), feeds, { graphOptimizationLevel });
          expect((y as RuntimeTensor).dims).toEqual([ROWS, COLUMNS]);
          expect(relativeError(numbersOf(y), expected)).toBeLessThan(1e-5);
          expect(relativeError(numbersOf(y), fp32)).toBeLessThan(reduceRange ? 0.06 : 0.04);
        }
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it.each([
    ['MatMul', RECIPE, ['DynamicQuantizeMatMul']],
    ['MatMul', { ...RECIPE, weights: 'uint8', perChannel: false }, ['DynamicQuantizeMatMul']],
    ['MatMul', { ...RECIPE, weights: 'uint8' }, ['DynamicQuantizeMatMul']],
    ['Gemm', RECIPE, ['DynamicQuantizeMatMul']],
  ] as const)('%s in the form of %o is fused into one kernel', async (opType, recipe, expected) => {
    const { model } = build({ opType, transB: true, alpha: 2, beta: 0.5, bias: 'row', recipe, seed: 3 });
    applyScheme(model, dynamicScheme, recipe);
    expect(await optimizedOperators(model)).toEqual(expected);
  });

  it.skipIf(PRODUCTS_SATURATE)('share the quantized weights, once transposed for two Gemms', async () => {
    const b = new ModelBuilder(13);
    const w = matrix(b, [COLUMNS, INNER]);
    const attributes = { transB: attribute.int(1) };
    const outputs = ['x', 'z'].map((name, index) =>
      b.add('Gemm', [b.input(name, ['rows', INNER]), w, matrix(b, [COLUMNS], index)], {
        attributes,
        outputs: [`${name}w`],
      }),
    );
    const model = b.finish(outputs);
    const feeds = { x: randomTensor([ROWS, INNER], 4), z: randomTensor([ROWS, INNER], 5) };
    const before = await runModel(modelToBytes(model), feeds);
    applyScheme(model, dynamicScheme, RECIPE);
    expect([...model.graph.initializers].filter(({ initializer }) => (initializer?.count ?? 0) > COLUMNS)).toHaveLength(
      1,
    );
    for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
      const after = await runModel(modelToBytes(model), feeds, { graphOptimizationLevel });
      for (const name of ['xw', 'zw']) {
        expect(relativeError(numbersOf(after[name]), numbersOf(before[name]))).toBeLessThan(0.02);
      }
    }
    expect(await optimizedOperators(model)).toEqual(['DynamicQuantizeMatMul', 'DynamicQuantizeMatMul']);
  });

  it('share the quantized input, and are fused with scales and bias then', async () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', ['rows', INNER]);
    const model = b.finish([1, 2, 3].map((seed) => b.add('MatMul', [x, matrix(b, [INNER, COLUMNS], seed)])));
    applyScheme(model, dynamicScheme, RECIPE);
    expect(count(model, 'DynamicQuantizeLinear')).toBe(1);
    expect((await optimizedOperators(model)).sort()).toEqual([
      'DynamicQuantizeLinear',
      ...[1, 2, 3].map(() => 'MatMulIntegerToFloat'),
    ]);
  });

  it.skipIf(PRODUCTS_SATURATE).each([
    ['int8', true],
    ['int8', false],
    ['uint8', true],
    ['uint8', false],
  ] as const)(
    'of a stack of %s matrices have scales that the fused kernel reads right (per channel: %s)',
    async (weights, perChannel) => {
      const b = new ModelBuilder(13);
      const numbers = randomFloats(3 * INNER * COLUMNS, 1).map(
        (number, index) => number * 2 ** ((index % COLUMNS) / 3),
      );
      const w = b.constant(Tensor.fromTyped('float32', [3, INNER, COLUMNS], numbers));
      // A bias behind is fused too, and with one scale per column of all matrices the kernel leaves it out.
      const stack = b.add('MatMul', [b.input('x', ['batch', 3, 'rows', INNER]), w]);
      const bias = b.floats(randomFloats(COLUMNS, 2, -20, 20));
      const model = b.finish([b.add('Add', [stack, bias], { outputs: ['y'] })]);
      const feeds = { x: randomTensor([2, 3, ROWS, INNER], 4) };
      const { y: before } = await runModel(modelToBytes(model), feeds);
      applyScheme(model, dynamicScheme, { ...RECIPE, weights, perChannel });
      for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
        const { y: after } = await runModel(modelToBytes(model), feeds, { graphOptimizationLevel });
        expect((after as RuntimeTensor).dims).toEqual([2, 3, ROWS, COLUMNS]);
        expect(relativeError(numbersOf(after), numbersOf(before))).toBeLessThan(0.02);
      }
      expect(await optimizedOperators(model)).toEqual(['DynamicQuantizeMatMul']);
    },
  );

  it.skipIf(PRODUCTS_SATURATE).each([
    ['vector times matrix', [INNER], [INNER, COLUMNS]],
    ['matrix times vector', [ROWS, INNER], [INNER]],
    ['vector times vector', [INNER], [INNER]],
    ['one column', [ROWS, INNER], [INNER, 1]],
    ['no rows', [0, INNER], [INNER, COLUMNS]],
    ['no batch', [0, ROWS, INNER], [INNER, COLUMNS]],
    ['one number', [1, 1], [1, 1]],
  ])('keep their shape: %s', async (_, xDims, wDims) => {
    const b = new ModelBuilder(13);
    const x = b.input(
      'x',
      xDims.map((_, axis) => `d${axis}`),
    );
    const model = b.finish([b.add('MatMul', [x, matrix(b, wDims, 2)], { outputs: ['y'] })]);
    const feeds = { x: randomTensor(xDims, 3) };
    const { y: before } = await runModel(modelToBytes(model), feeds);
    expect(applyScheme(model, dynamicScheme, RECIPE).rewritten).toEqual(['y']);
    for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
      const { y: after } = await runModel(modelToBytes(model), feeds, { graphOptimizationLevel });
      expect((after as RuntimeTensor).dims).toEqual((before as RuntimeTensor).dims);
      expect(relativeError(numbersOf(after), numbersOf(before))).toBeLessThan(0.04);
    }
  });

  it.skipIf(PRODUCTS_SATURATE)(
    'use the integers that data chose, and decline where they are of another recipe',
    async () => {
      const build = () => {
        const b = new ModelBuilder(13);
        const w = matrix(b, [INNER, COLUMNS], 1, 'w');
        return {
          w: w.initializer as Tensor,
          model: b.finish([b.add('MatMul', [b.input('x', [ROWS, INNER]), w], { outputs: ['y'] })]),
        };
      };
      const { w, model } = build();
      const chosen = quantizeWeight('w', w, { dataType: 'int8', axis: 1 });
      const integers = Tensor.fromNumbers(
        'int8',
        [INNER, COLUMNS],
        chosen.integers.numbers().map((number) => -number),
      );
      applyScheme(model, dynamicScheme, RECIPE, { quantizedWeights: { w: { ...chosen, integers } } });
      const feeds = { x: randomTensor([ROWS, INNER], 3) };
      const { y } = await runModel(modelToBytes(model), feeds);
      const real = dequantizeTensor(integers, chosen.parameters).numbers();
      expect(relativeError(numbersOf(y), product(numbersOf(feeds.x), real, INNER))).toBeLessThan(0.02);

      const other = build();
      const before = modelToBytes(other.model);
      const { declined } = applyScheme(
        other.model,
        dynamicScheme,
        { ...RECIPE, perChannel: false },
        {
          quantizedWeights: { w: chosen },
        },
      );
      expect(declined).toEqual([{ node: 'y', reason: "the integers chosen for 'w' are not what the recipe asks for" }]);
      other.model.opsetImports.delete('com.microsoft');
      expect(modelToBytes(other.model)).toEqual(before);
    },
  );

  it.each([
    ['a Gemm that transposes its input', 'Gemm', { transA: attribute.int(1) }, /transposes its input/],
    ['a Conv', 'Conv', {}, /ConvInteger, which is several times slower/],
    ['anything else', 'Relu', {}, /no Relu that quantizes its input at run time/],
  ])('are refused for %s', (_, opType, attributes, reason) => {
    const b = new ModelBuilder(13);
    const y = b.add(opType, [b.input('x', [8, 8]), matrix(b, [8, 8])], { attributes });
    expect(y.producer && dynamicScheme.refusal(y.producer, RECIPE)).toMatch(reason);
  });

  it.each([
    ['two inputs', (b: ModelBuilder) => [b.input('x', [8, 8]), b.input('z', [8, 8])], /'z' is not constant/],
    ['two constants', (b: ModelBuilder) => [matrix(b, [8, 8]), matrix(b, [8, 8])], /no input to quantize/],
    ['a constant on the left', (b: ModelBuilder) => [matrix(b, [8, 8]), b.input('x', [8, 8])], /'x' is not constant/],
    [
      'infinity',
      (b: ModelBuilder) => [b.input('x', [1, 1]), b.floats([Number.POSITIVE_INFINITY], [1, 1])],
      /infinity or NaN/,
    ],
    ['nothing', (b: ModelBuilder) => [b.input('x', [1, 0]), b.floats([], [0, 4])], /is empty/],
    [
      'float64',
      (b: ModelBuilder) => [b.input('x', [1, 1], 'float64'), b.constant(Tensor.fromNumbers('float64', [1, 1], [1]))],
      /is float64/,
    ],
  ])('are refused for a product of %s', (_, inputs, reason) => {
    const b = new ModelBuilder(13);
    const y = b.add('MatMul', inputs(b));
    expect(y.producer && dynamicScheme.refusal(y.producer, RECIPE)).toMatch(reason);
  });
});

function transposedCopy(tensor: Tensor): Tensor {
  const [rows = 0, columns = 0] = tensor.dims;
  const from = tensor.numbers();
  const to = Array.from(
    { length: from.length },
    (_, index) => from[(index % rows) * columns + Math.floor(index / rows)] ?? 0,
  );
  return Tensor.fromNumbers(tensor.elementType, [columns, rows], to);
}
