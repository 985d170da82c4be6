/** Recipes of all schemes side by side in one model, as a search leaves them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRecipe, Recipe } from '../../../lib/artifact/recipe.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import type { Node } from '../../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import { allowConstants } from '../../../lib/compiler/passes/allow-constants.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../lib/compiler/passes/presets.js';
import { applyPlan } from '../../../lib/compiler/quantize/apply-plan.js';
import { nodeKeyOf } from '../../../lib/compiler/quantize/node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../../lib/compiler/quantize/plan.js';
import { rewriteOf } from '../../../lib/compiler/quantize/schemes/registry.js';
import { type Outputs, signalToNoise } from '../../support/before-and-after.js';
import { fromOrt, toOrtFeeds } from '../../support/compare-outputs.js';
import { type OrtFeeds, STATIC, staticPlan } from '../../support/quantization-plan.js';
import { randomGraphs } from '../../support/random-graph.js';
import { randomTensor } from '../../support/random-numbers.js';
import { runModel } from '../../support/run-model.js';
import { transformer } from '../../support/transformer.js';

const RECIPES: readonly Recipe[] = [
  STATIC,
  { ...STATIC, perChannel: false, weights: 'uint8' },
  { ...STATIC, activations: 'uint16' },
  { scheme: 'fp32' },
  { scheme: 'fp16-storage' },
  { scheme: 'int8-weight-only', perChannel: true },
  { scheme: 'int8-embedding' },
  { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false },
  { scheme: 'int8-dynamic', weights: 'uint8', perChannel: false, reduceRange: true },
  { scheme: 'matmul-nbits', bits: 4, blockSize: 16, symmetric: true, accuracyLevel: 0 },
  { scheme: 'matmul-nbits', bits: 8, blockSize: 32, symmetric: false, accuracyLevel: 4 },
];

/** One of the recipes that a node can have, chosen by a seed. */
function recipeFor(node: Node, seed: number): Recipe | undefined {
  const possible = RECIPES.filter((recipe) => rewriteOf(recipe.scheme)?.refusal(node, recipe) === undefined);
  return possible[seed % possible.length];
}

/** Ranges for everything that could want one; recipes by the seed. */
async function mixedPlan(model: Model, feeds: OrtFeeds, seed: number): Promise<QuantizationPlan> {
  const { plan } = await staticPlan(model, feeds);
  const all = [...nodesOf(model)];
  const recipes: NodeRecipe[] = [];
  for (const [index, node] of all.entries()) {
    const recipe = recipeFor(node, Math.abs(Math.imul(seed + index, 0x9e3779b1)) >>> 4);
    if (recipe !== undefined) recipes.push({ node: nodeKeyOf(node), recipe });
  }
  return { ...EMPTY_PLAN, recipes, activations: plan.activations };
}

describe('recipes of all schemes in one model', () => {
  it('make no invalid model of random graphs, and keep names, types and shapes of outputs', async () => {
    const schemes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(randomGraphs({ layers: true, maximumOperations: 20 }), fc.nat(), async (graphs, seed) => {
        const { model, feeds } = graphs.build();
        await runPasses(model, normalize());
        allowConstants(model);
        const ortFeeds = toOrtFeeds(feeds);
        const expected = await runModel(modelToBytes(model), ortFeeds);
        const plan = await mixedPlan(model, ortFeeds, seed);
        const { declined } = applyPlan(model, plan);
        validate(model);
        const left = new Set(declined.map(({ node }) => node));
        for (const { node, recipe } of plan.recipes) if (!left.has(node.output)) schemes.add(recipe.scheme);
        for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
          const actual = await runModel(modelToBytes(model), ortFeeds, { graphOptimizationLevel });
          expect(Object.keys(actual)).toEqual(Object.keys(expected));
          for (const [name, value] of Object.entries(expected)) {
            const [a, b] = [actual[name], value];
            if (a === undefined) throw new Error(`no output '${name}'`);
            expect(fromOrt(a).elementType).toBe(fromOrt(b).elementType);
            expect(fromOrt(a).dims).toEqual(fromOrt(b).dims);
          }
        }
        // What is quantized already does not stand in the way of more.
        applyPlan(model, await mixedPlan(model, ortFeeds, seed + 1));
        validate(model);
        await runModel(modelToBytes(model), ortFeeds, { graphOptimizationLevel: 'all' });
      }),
      { seed: 3, numRuns: 80 },
    );
    // The others store weights of a size that random graphs do not have.
    expect([...schemes].sort()).toEqual(['fp32', 'int8-dynamic', 'int8-static', 'matmul-nbits']);
  });

  it('keep a transformer close to what it was', async () => {
    const feeds = { x: randomTensor([2, 5, 32]) };
    const schemes = new Set<string>();
    for (let seed = 1; seed <= 6; seed++) {
      const model = transformer({ layers: 2, width: 32, heads: 2, seed });
      await runPasses(model, normalize());
      const before = (await runModel(modelToBytes(model), feeds)) as Outputs;
      const plan = await mixedPlan(model, feeds, seed * 31);
      for (const { recipe } of plan.recipes) schemes.add(recipe.scheme);
      applyPlan(model, plan);
      const after = (await runModel(modelToBytes(model), feeds, { graphOptimizationLevel: 'all' })) as Outputs;
      expect(signalToNoise(before, after)).toBeGreaterThan(15);
    }
    expect(schemes.size).toBe(6);
  });
});
