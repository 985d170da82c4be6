import fc from 'fast-check';
import type { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { BlockwiseRecipe } from '../../../../lib/artifact/recipe.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { blockwiseScheme } from '../../../../lib/compiler/quantize/schemes/blockwise/matmul-nbits.js';
import {
  dequantizeBlocks,
  quantizeBlocks,
} from '../../../../lib/compiler/quantize/schemes/blockwise/quantize-blocks.js';
import { applyScheme } from '../../../support/apply-scheme.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { product, relativeError } from '../../../support/quantization/emulated-products.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';

const RECIPE = { scheme: 'matmul-nbits', bits: 4, blockSize: 32, symmetric: true, accuracyLevel: 0 } as const;

interface Example {
  readonly recipe: BlockwiseRecipe;
  readonly rows: readonly number[];
  readonly inner: number;
  readonly columns: number;
  readonly gemm: { readonly transB: boolean; readonly alpha: number; readonly beta: number } | undefined;
  readonly seed: number;
}

const examples: fc.Arbitrary<Example> = fc
  .record({
    recipe: fc.record({
      scheme: fc.constant('matmul-nbits'),
      bits: fc.constantFrom(4, 8),
      blockSize: fc.constantFrom(16, 32, 64, 128, 256),
      symmetric: fc.boolean(),
      accuracyLevel: fc.constantFrom(0, 4),
    }),
    rows: fc.constantFrom([], [1], [3], [2, 3], [0], [2, 1, 2]),
    inner: fc.integer({ min: 1, max: 300 }),
    columns: fc.integer({ min: 1, max: 40 }),
    gemm: fc.option(
      fc.record({ transB: fc.boolean(), alpha: fc.constantFrom(1, -0.5), beta: fc.constantFrom(1, 2, 0) }),
      { nil: undefined },
    ),
    seed: fc.nat({ max: 1000 }),
  })
  .map((example) => (example.gemm === undefined ? example : { ...example, rows: [3] }));

function build({ rows, inner, columns, gemm, seed }: Example) {
  const b = new ModelBuilder(13);
  const x = b.input(
    'x',
    [...rows, inner].map((_, axis) => `d${axis}`),
  );
  const transposed = gemm?.transB === true;
  const weight = Tensor.fromTyped(
    'float32',
    transposed ? [columns, inner] : [inner, columns],
    randomFloats(inner * columns, seed),
  );
  const w = b.constant(weight, 'w');
  const bias = randomFloats(columns, seed + 1);
  const y =
    gemm === undefined
      ? b.add('MatMul', [x, w], { outputs: ['y'] })
      : b.add('Gemm', [x, w, b.floats(bias)], {
          outputs: ['y'],
          attributes: {
            transB: attribute.int(transposed ? 1 : 0),
            alpha: attribute.float(gemm.alpha),
            beta: attribute.float(gemm.beta),
          },
        });
  return { model: b.finish([y]), weight, bias, feeds: { x: randomTensor([...rows, inner], seed + 2) } };
}

describe('products with weights in blocks', () => {
  it('multiply with what the blocks stand for, with every option of Gemm', async () => {
    await fc.assert(
      fc.asyncProperty(examples, async (example) => {
        const { recipe, gemm, inner, columns, rows } = example;
        const { model, weight, bias, feeds } = build(example);
        const transposed = gemm?.transB === true;
        const blocks = quantizeBlocks('w', weight, transposed, recipe);
        const restored = dequantizeBlocks(blocks, transposed, recipe.blockSize).numbers();
        const straight = transposed
          ? restored.map((_, index) => restored[(index % columns) * inner + Math.floor(index / columns)] ?? 0)
          : restored;
        const expected = product(feeds.x.data as Float32Array, straight, inner).map((number, index) =>
          gemm === undefined ? number : gemm.alpha * number + gemm.beta * (bias[index % columns] ?? 0),
        );
        expect(applyScheme(model, blockwiseScheme, recipe).rewritten).toEqual(['y']);
        const { y } = (await runModel(modelToBytes(model), feeds)) as Record<string, RuntimeTensor>;
        expect(y?.dims).toEqual([...rows, columns]);
        // At level 4 the input is rounded to 8 bits in blocks too.
        const error = relativeError(y?.data as Float32Array, expected);
        expect(error).toBeLessThan(recipe.accuracyLevel === 4 ? 0.04 : 1e-5);
      }),
      { seed: 1, numRuns: 150 },
    );
  });

  it('share blocks, once transposed for two Gemms', async () => {
    const b = new ModelBuilder(13);
    const w = b.floats(randomFloats(64 * 48), [48, 64]);
    const attributes = { transB: attribute.int(1) };
    const outputs = ['x', 'z'].map((name) =>
      b.add('Gemm', [b.input(name, ['rows', 64]), w], { attributes, outputs: [`${name}w`] }),
    );
    const model = b.finish(outputs);
    const feeds = { x: randomTensor([2, 64], 2), z: randomTensor([2, 64], 3) };
    const before = await runModel(modelToBytes(model), feeds);
    applyScheme(model, blockwiseScheme, { ...RECIPE, bits: 8 });
    expect([...model.graph.initializers].map(({ staticShape }) => staticShape)).toEqual([
      [48, 2, 32],
      [48, 2],
    ]);
    const after = await runModel(modelToBytes(model), feeds);
    for (const name of ['xw', 'zw']) {
      const [a, c] = [after[name], before[name]].map((value) => (value as RuntimeTensor).data as Float32Array);
      expect(relativeError(a ?? [], c ?? [])).toBeLessThan(0.01);
    }
  });

  it('use the blocks that data chose, and decline those of another size', () => {
    const example: Example = { recipe: RECIPE, rows: [2], inner: 64, columns: 8, gemm: undefined, seed: 1 };
    const { model, weight } = build(example);
    const chosen = quantizeBlocks('w', weight, false, RECIPE);
    const integers = Tensor.fromNumbers('uint8', weight.dims, new Uint8Array(weight.count).fill(5));
    const quantizedWeights = { w: { ...chosen, integers } };
    const other = applyScheme(
      build(example).model,
      blockwiseScheme,
      { ...RECIPE, blockSize: 16 },
      { quantizedWeights },
    );
    expect(other.declined).toEqual([
      { node: 'y', reason: "the integers chosen for 'w' are not in the recipe's blocks" },
    ]);
    applyScheme(model, blockwiseScheme, RECIPE, { quantizedWeights });
    const [stored] = [...model.graph.initializers].map(({ initializer }) => initializer);
    expect(stored?.numbers().every((byte) => byte === 0x55)).toBe(true);
  });

  it.each([
    ['a block of no power of two', { ...RECIPE, blockSize: 48 }, [64, 8], /no power of two from 16 to 256/],
    ['a small block', { ...RECIPE, blockSize: 8 }, [64, 8], /no power of two from 16/],
    ['a large block', { ...RECIPE, blockSize: 512 }, [64, 8], /no power of two from 16/],
    [
      'blocks larger than float32',
      { ...RECIPE, blockSize: 256 },
      [2, 20_000],
      /would take 2560000 bytes, more than float32/,
    ],
    ['a vector', RECIPE, [64], /is no matrix/],
    ['a stack of matrices', RECIPE, [2, 64, 8], /is no matrix/],
  ])('are refused for %s', (_, recipe, dims, reason) => {
    const b = new ModelBuilder(13);
    const w = b.floats(randomFloats(dims.reduce((total, size) => total * size, 1)), dims);
    const { producer } = b.add('MatMul', [b.input('x', [2, 64]), w]);
    expect(producer && blockwiseScheme.refusal(producer, recipe as BlockwiseRecipe)).toMatch(reason);
  });
});
