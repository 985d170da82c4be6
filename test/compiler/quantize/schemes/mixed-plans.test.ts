/** Plans that mix schemes, applied as locks and searches do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../../../../lib/artifact/recipe.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../../lib/compiler/ir/traversal.js';
import { validate } from '../../../../lib/compiler/ir/validation.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../../lib/compiler/passes/presets.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { nodeKeyOf } from '../../../../lib/compiler/quantize/node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../../../lib/compiler/quantize/plan.js';
import { rewriteOf } from '../../../../lib/compiler/quantize/schemes/registry.js';
import { type Outputs, signalToNoise } from '../../../support/before-and-after.js';
import { toOrtFeeds } from '../../../support/compare-outputs.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomGraphs } from '../../../support/random-graph.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';
import { transformer } from '../../../support/transformer.js';

const RECIPES: readonly Recipe[] = [
  { scheme: 'fp16-storage' },
  { scheme: 'int8-weight-only', perChannel: true },
  { scheme: 'int8-weight-only', perChannel: false },
  { scheme: 'int8-embedding' },
  { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false },
  { scheme: 'int8-dynamic', weights: 'uint8', perChannel: false, reduceRange: true },
  { scheme: 'matmul-nbits', bits: 4, blockSize: 16, symmetric: true, accuracyLevel: 4 },
  { scheme: 'matmul-nbits', bits: 8, blockSize: 32, symmetric: false, accuracyLevel: 0 },
];

/** Gives every node one of the recipes that it can have. */
function planFor(model: Model, choose: (count: number) => number): QuantizationPlan {
  const recipes = [...nodesOf(model)].flatMap((node) => {
    const possible = RECIPES.filter((recipe) => rewriteOf(recipe.scheme)?.refusal(node, recipe) === undefined);
    const recipe = possible[choose(possible.length)];
    return recipe === undefined ? [] : [{ node: nodeKeyOf(node), recipe }];
  });
  return { ...EMPTY_PLAN, recipes };
}

const shapes = (outputs: Outputs) =>
  Object.entries(outputs).map(([name, { type, dims }]) => [name, type, [...dims]] as const);

describe('plans that mix schemes', () => {
  it('never make an invalid model of a random graph', async () => {
    let rewritten = 0;
    await fc.assert(
      fc.asyncProperty(randomGraphs(), fc.infiniteStream(fc.nat({ max: 1000 })), async (recipe, numbers) => {
        const { model, feeds } = recipe.build();
        await runPasses(model, normalize());
        const before = (await runModel(modelToBytes(model), toOrtFeeds(feeds))) as Outputs;
        const nodes = [...nodesOf(model)].length;
        applyPlan(
          model,
          planFor(model, (count) => (numbers.next().value ?? 0) % Math.max(1, count)),
        );
        validate(model);
        for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
          const after = (await runModel(modelToBytes(model), toOrtFeeds(feeds), { graphOptimizationLevel })) as Outputs;
          // Sizes that depend on the data may differ with it.
          expect(shapes(after).map(([name, type]) => [name, type])).toEqual(
            shapes(before).map(([name, type]) => [name, type]),
          );
        }
        if ([...nodesOf(model)].length > nodes) rewritten++;
      }),
      { seed: 1, numRuns: 150 },
    );
    expect(rewritten).toBeGreaterThan(15);
  });

  it('keep a transformer near, whatever the mixture, and are the same bytes each time', async () => {
    const feeds = { x: randomTensor([2, 9, 64], 3) };
    for (const seed of [1, 2, 3]) {
      const make = async () => {
        const model = transformer({ layers: 1, width: 64, heads: 4 });
        await runPasses(model, normalize());
        const before = (await runModel(modelToBytes(model), feeds)) as Outputs;
        let state = seed;
        const { declined } = applyPlan(
          model,
          planFor(model, (count) => {
            state = (state * 1103515245 + 12345) % 2 ** 31;
            return state % Math.max(1, count);
          }),
        );
        return { before, declined, bytes: modelToBytes(model) };
      };
      const { before, declined, bytes } = await make();
      expect(declined).toEqual([]);
      const after = (await runModel(bytes, feeds, { graphOptimizationLevel: 'all' })) as Outputs;
      expect(signalToNoise(before, after)).toBeGreaterThan(14);
      expect(Buffer.compare((await make()).bytes, bytes)).toBe(0);
    }
  });

  it('quantize products inside of subgraphs that read values and weights of the graph around', async () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', ['rows', 32]);
    const w = b.constant(Tensor.fromTyped('float32', [32, 32], randomFloats(1024)), 'w');
    const first = b.add('Tanh', [b.add('MatMul', [x, w], { outputs: ['first'] })]);
    const branch = (name: string) => {
      const inner = new ModelBuilder(13, name);
      // In a Constant of its own, and shared with the graph around.
      const value = attribute.tensor(Tensor.fromTyped('float32', [32, 32], randomFloats(1024, 5)));
      const own = inner.add('Constant', [], { attributes: { value }, outputs: [`${name}_w`] });
      const left = inner.add('MatMul', [first, w], { outputs: [`${name}_left`] });
      const right = inner.add('MatMul', [first, own], { outputs: [`${name}_right`] });
      return attribute.graph(inner.finishGraph(inner.add('Add', [left, right], { outputs: [`${name}_y`] })));
    };
    const condition = b.add('Greater', [
      b.add('ReduceMax', [first], { attributes: { keepdims: attribute.int(0) } }),
      b.scalar(0),
    ]);
    const attributes = { then_branch: branch('then'), else_branch: branch('else') };
    const model = b.finish([b.add('If', [condition], { attributes, outputs: ['y'] })]);
    const feeds = { x: randomTensor([3, 32], 4) };
    const before = (await runModel(modelToBytes(model), feeds)) as Outputs;
    await runPasses(model, normalize());
    const recipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false } as const;
    const nodes = [...nodesOf(model)].filter((node) => node.is('MatMul'));
    expect(nodes).toHaveLength(5);
    const recipes = nodes.map((node) => ({ node: nodeKeyOf(node), recipe }));
    expect(applyPlan(model, { ...EMPTY_PLAN, recipes }).declined).toEqual([]);
    const operators = [...nodesOf(model)].map(({ opType }) => opType);
    // One in the graph, and one in each branch for the two products there.
    expect(operators.filter((opType) => opType === 'DynamicQuantizeLinear')).toHaveLength(3);
    expect(operators).not.toContain('MatMul');
    for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
      const after = (await runModel(modelToBytes(model), feeds, { graphOptimizationLevel })) as Outputs;
      expect(signalToNoise(before, after)).toBeGreaterThan(30);
    }
  });
});
