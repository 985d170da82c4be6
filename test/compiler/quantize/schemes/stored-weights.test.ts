/** int8-weight-only and fp16-storage: weights that onnxruntime restores when it loads a model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../../../../lib/artifact/recipe.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { float16ToNumber } from '../../../../lib/compiler/ir/float16.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import type { Node } from '../../../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../../lib/compiler/ir/traversal.js';
import { allowConstants } from '../../../../lib/compiler/passes/allow-constants.js';
import { dequantizeTensor, quantizeWeight } from '../../../../lib/compiler/quantize/parameters/quantize-weight.js';
import type { SchemeRewrite } from '../../../../lib/compiler/quantize/scheme.js';
import { weightOf } from '../../../../lib/compiler/quantize/schemes/constant-weight.js';
import { float16Storage } from '../../../../lib/compiler/quantize/schemes/float16-storage.js';
import { weightOnly } from '../../../../lib/compiler/quantize/schemes/weight-only.js';
import { applyScheme } from '../../../support/apply-scheme.js';
import { expectEqualOutputs, toOrtFeeds } from '../../../support/compare-outputs.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { optimizedOperators } from '../../../support/quantization/optimized-operators.js';
import { type RandomGraphRecipe, randomGraphs } from '../../../support/random-graph.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';

const operators = (model: Model) => [...nodesOf(model)].map((node) => node.opType);
const matrix = (b: ModelBuilder, dims: readonly number[], seed = 1, name?: string) => {
  const size = dims.reduce((total, each) => total * each, 1);
  return b.constant(Tensor.fromTyped('float32', dims, randomFloats(size, seed)), name);
};

/** Bit for bit: the rewritten graph against one that holds, in float32, what the stored weights stand for. */
async function expectRestored<R extends Recipe>(
  recipe: RandomGraphRecipe,
  scheme: SchemeRewrite<R>,
  of: R,
  restoredFrom: (original: Tensor, restored: Node) => Tensor,
): Promise<number> {
  const { model, feeds } = recipe.build();
  const reference = recipe.build().model;
  allowConstants(reference);
  const old = new Set(nodesOf(model));
  applyScheme(model, scheme, of);
  const rewritten = new Map([...nodesOf(model)].map((node) => [node.outputs[0]?.name, node]));
  let changed = 0;
  for (const node of nodesOf(reference)) {
    const twin = rewritten.get(node.outputs[0]?.name);
    for (const [index, value] of node.inputs.entries()) {
      const restored = twin?.input(index)?.producer;
      const weight = value === undefined ? 'none' : weightOf(node, index);
      if (restored === undefined || old.has(restored) || typeof weight === 'string') continue;
      const tensor = restoredFrom(weight.tensor, restored);
      node.setInput(index, weight.graph.addInitializer(reference.freshName(`${weight.value.name}_restored`), tensor));
      changed++;
    }
  }
  const expected = await runModel(modelToBytes(reference), toOrtFeeds(feeds));
  expectEqualOutputs(await runModel(modelToBytes(model), toOrtFeeds(feeds)), expected);
  return changed;
}

describe('weights stored as int8', () => {
  const scheme = weightOnly();
  const RECIPE = { scheme: 'int8-weight-only', perChannel: true } as const;

  it.each([true, false])(
    'are what was rounded, on random graphs with subgraphs (per channel: %s)',
    async (perChannel) => {
      let changed = 0;
      await fc.assert(
        fc.asyncProperty(randomGraphs(), async (recipe) => {
          const small = weightOnly({ minimumBytes: 4, minimumChannel: 1 });
          changed += await expectRestored(recipe, small, { ...RECIPE, perChannel }, (original, restored) => {
            const axis = restored.input(1)?.staticShape?.findIndex((size) => size > 1) ?? -1;
            const options = axis < 0 ? {} : { axis };
            // Of one channel the scale is the tensor's, symmetric either way.
            const quantized = quantizeWeight('weight', original, { dataType: 'int8', ...options });
            return dequantizeTensor(quantized.integers, quantized.parameters);
          });
        }),
        { seed: 1, numRuns: 100 },
      );
      expect(changed).toBeGreaterThan(50);
    },
  );

  it.each([
    ['Conv', [16, 4, 3, 3], [1, 4, 8, 8], {}, [16, 1, 1, 1]],
    ['ConvTranspose', [8, 16, 3, 3], [1, 8, 4, 4], {}, [1, 16, 1, 1]],
    ['MatMul', [24, 16], [2, 24], {}, [1, 16]],
    ['MatMul', [3, 24, 16], [3, 2, 24], {}, [1, 1, 16]],
    ['Gemm', [24, 16], [2, 24], {}, [1, 16]],
    ['Gemm', [16, 24], [2, 24], { transB: attribute.int(1) }, [16, 1]],
    ['Add', [1, 24, 16], [1, 24, 16], {}, [1, 24, 1]],
  ])('have a scale per output of %s with weights [%s]', async (opType, dims, xDims, attributes, scale) => {
    const b = new ModelBuilder(13);
    const model = b.finish([b.add(opType, [b.input('x', xDims), matrix(b, dims)], { attributes, outputs: ['y'] })]);
    const feeds = { x: randomTensor(xDims, 5) };
    const before = await runModel(modelToBytes(model), feeds);
    expect(applyScheme(model, scheme, RECIPE).rewritten).toEqual(['y']);
    const scales = [...model.graph.initializers].filter(({ elementType }) => elementType === 'float32');
    expect(scales.map(({ staticShape }) => staticShape)).toEqual([scale]);
    expect(await optimizedOperators(model, 'basic')).toEqual([opType]);
    const after = await runModel(modelToBytes(model), feeds);
    expect(noise(before.y, after.y)).toBeLessThan(0.01);
  });

  it.each(['LSTM', 'GRU'])('have a scale per row of every gate and direction of %s', async (opType) => {
    const gates = opType === 'LSTM' ? 4 : 3;
    const b = new ModelBuilder(14);
    const [w, r] = [matrix(b, [2, gates * 16, 24], 1), matrix(b, [2, gates * 16, 16], 2)];
    const attributes = { hidden_size: attribute.int(16), direction: attribute.string('bidirectional') };
    const model = b.finish([b.add(opType, [b.input('x', [5, 2, 24]), w, r], { attributes, outputs: ['y'] })]);
    const feeds = { x: randomTensor([5, 2, 24], 5) };
    const before = await runModel(modelToBytes(model), feeds);
    applyScheme(model, scheme, RECIPE);
    const scales = [...model.graph.initializers].filter(({ elementType }) => elementType === 'float32');
    expect(scales.map(({ staticShape }) => staticShape)).toEqual([
      [2, gates * 16, 1],
      [2, gates * 16, 1],
    ]);
    expect(noise(before.y, (await runModel(modelToBytes(model), feeds)).y)).toBeLessThan(0.01);
  });

  it('are a quarter of the bytes, restored when onnxruntime loads the model, in subgraphs too', async () => {
    const { model, feeds, w } = sharedByBranches();
    const bytesBefore = modelToBytes(model);
    const before = await runModel(bytesBefore, feeds);
    expect(applyScheme(model, scheme, RECIPE).rewritten).toHaveLength(4);
    expect(operators(model).filter((opType) => opType === 'Cast')).toHaveLength(1);
    expect([...model.graph.initializers]).not.toContain(w);
    expect(modelToBytes(model).byteLength / bytesBefore.byteLength).toBeLessThan(0.4);
    const optimized = await optimizedOperators(model, 'basic');
    expect(optimized).not.toContain('Cast');
    expect(optimized).not.toContain('Mul');
    expect(noise(before.y, (await runModel(modelToBytes(model), feeds)).y)).toBeLessThan(0.02);
  });

  it('stay float32 for readers without the recipe', async () => {
    const { model, feeds, w } = sharedByBranches();
    const before = await runModel(modelToBytes(model), feeds);
    applyScheme(model, scheme, RECIPE, { nodes: (node) => node.graph === model.graph });
    expect([...model.graph.initializers]).toContain(w);
    expect(w.consumers).toHaveLength(2);
    expect(noise(before.y, (await runModel(modelToBytes(model), feeds)).y)).toBeLessThan(0.02);
  });

  it('may come from Constant nodes', async () => {
    const b = new ModelBuilder(13);
    const value = Tensor.fromTyped('float32', [32, 16], randomFloats(512));
    const constant = b.add('Constant', [], { attributes: { value: attribute.tensor(value) } });
    const model = b.finish([b.add('MatMul', [b.input('x', [2, 32]), constant], { outputs: ['y'] })]);
    const feeds = { x: randomTensor([2, 32], 5) };
    const before = await runModel(modelToBytes(model), feeds);
    expect(applyScheme(model, scheme, RECIPE).rewritten).toEqual(['y']);
    expect(operators(model)).toEqual(['Cast', 'Mul', 'MatMul']);
    expect(model.graph.nodes[1]?.output().name).toBe(constant.name);
    expect(noise(before.y, (await runModel(modelToBytes(model), feeds)).y)).toBeLessThan(0.01);
  });

  it('are refused where nothing is large enough, where callers may override, and where it is an output', () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', [2, 32]);
    const refusal = (node: Node | undefined) => node && scheme.refusal(node, RECIPE);
    expect(refusal(b.add('MatMul', [x, matrix(b, [32, 4])]).producer)).toContain(
      'no constant float32 weight of at least',
    );
    expect(refusal(b.add('Add', [x, matrix(b, [512])]).producer)).toContain('no constant float32 weight');
    const overridable = matrix(b, [32, 16]);
    b.graph.setInputs([x, overridable]);
    expect(refusal(b.add('MatMul', [x, overridable]).producer)).toContain('no constant float32 weight');
    const output = matrix(b, [32, 16]);
    const y = b.add('MatMul', [x, output]);
    b.finish([y, output]);
    expect(refusal(y.producer)).toContain('no constant float32 weight');
  });

  it('are the integers that data chose', async () => {
    const b = new ModelBuilder(13);
    const w = matrix(b, [32, 16], 1, 'w');
    const model = b.finish([b.add('MatMul', [b.input('x', [2, 32]), w], { outputs: ['y'] })]);
    const integers = Tensor.fromNumbers('int8', [32, 16], randomFloats(512, 9, -127, 127).map(Math.trunc));
    const parameters = { tensor: 'w', dataType: 'int8', scale: [0.5], zeroPoint: [0] } as const;
    applyScheme(model, scheme, RECIPE, { quantizedWeights: { w: { integers, parameters } } });
    expect([...model.graph.initializers].map(({ initializer }) => initializer)).toContain(integers);
    const reference = new ModelBuilder(13);
    const restored = reference.constant(dequantizeTensor(integers, parameters));
    const y = reference.add('MatMul', [reference.input('x', [2, 32]), restored], { outputs: ['y'] });
    const feeds = { x: randomTensor([2, 32], 5) };
    const expected = await runModel(modelToBytes(reference.finish([y])), feeds);
    expectEqualOutputs(await runModel(modelToBytes(model), feeds), expected);
  });

  it('make the same bytes each time', () => {
    const [first, second] = [1, 2].map(() => {
      const { model } = sharedByBranches();
      applyScheme(model, scheme, RECIPE);
      return modelToBytes(model);
    });
    expect(first).toEqual(second);
  });
});

describe('weights stored in half precision, by node', () => {
  it('are what was rounded, on random graphs with subgraphs', async () => {
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(randomGraphs(), async (recipe) => {
        const small = float16Storage({ minimumBytes: 4 });
        changed += await expectRestored(recipe, small, { scheme: 'fp16-storage' }, (original, restored) => {
          const halves = restored.input(0)?.initializer?.typed() as Uint16Array;
          return Tensor.fromTyped('float32', original.dims, Float32Array.from(halves, float16ToNumber));
        });
      }),
      { seed: 1, numRuns: 100 },
    );
    expect(changed).toBeGreaterThan(50);
  });

  it('are stored once for all nodes and subgraphs that read them, and folded at load', async () => {
    const { model, feeds, w } = sharedByBranches();
    const before = await runModel(modelToBytes(model), feeds);
    applyScheme(model, float16Storage(), { scheme: 'fp16-storage' });
    expect(operators(model).filter((opType) => opType === 'Cast')).toHaveLength(1);
    expect([...model.graph.initializers]).not.toContain(w);
    expect(await optimizedOperators(model, 'basic')).not.toContain('Cast');
    expect(noise(before.y, (await runModel(modelToBytes(model), feeds)).y)).toBeLessThan(1e-3);
  });

  it('are left alone by nodes of other recipes', () => {
    const { model, w } = sharedByBranches();
    applyScheme(model, float16Storage(), { scheme: 'fp16-storage' }, { nodes: (node) => node.graph === model.graph });
    expect(w.consumers).toHaveLength(2);
  });

  it('stay where half precision ends, with the reason', () => {
    const b = new ModelBuilder(13);
    const w = b.floats(new Float32Array(512).fill(1e6), [32, 16]);
    const model = b.finish([b.add('MatMul', [b.input('x', [2, 32]), w], { outputs: ['y'] })]);
    const { declined } = applyScheme(model, float16Storage(), { scheme: 'fp16-storage' });
    expect(declined).toEqual([{ node: 'y', reason: expect.stringContaining('float16 ends at 65504') }]);
    expect(w.consumers).toHaveLength(1);
  });
});

/** One matrix, read twice in the graph and once in each branch of an If. */
function sharedByBranches() {
  const b = new ModelBuilder(13);
  const x = b.input('x', [2, 32]);
  const w = matrix(b, [32, 32], 3, 'shared');
  const first = b.add('Tanh', [b.add('MatMul', [x, w])]);
  const branch = (name: string) => {
    const inner = new ModelBuilder(13, name);
    return attribute.graph(inner.finishGraph(inner.add('MatMul', [first, w], { outputs: [`${name}_y`] })));
  };
  const condition = b.add('Greater', [
    b.add('ReduceMax', [first], { attributes: { keepdims: attribute.int(0) } }),
    b.scalar(0),
  ]);
  const chosen = b.add('If', [condition], {
    attributes: { then_branch: branch('then'), else_branch: branch('else') },
  });
  const model = b.finish([b.add('MatMul', [b.add('Tanh', [chosen]), w], { outputs: ['y'] })]);
  return { model, w, feeds: { x: randomTensor([2, 32], 7) } };
}

/** √(Σ Δ² / Σ y²) */
function noise(before: unknown, after: unknown): number {
  const [a, b] = [before, after].map((value) => (value as { data: Float32Array }).data);
  let [power, error] = [0, 0];
  for (const [index, number] of (a ?? []).entries()) {
    power += number ** 2;
    error += (number - (b?.[index] ?? Number.NaN)) ** 2;
  }
  return Math.sqrt(error / power);
}
