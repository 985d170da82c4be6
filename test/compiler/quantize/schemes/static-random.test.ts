import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StaticRecipe } from '../../../../lib/artifact/recipe.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { validate } from '../../../../lib/compiler/ir/validation.js';
import { allowConstants } from '../../../../lib/compiler/passes/allow-constants.js';
import { convertOpset } from '../../../../lib/compiler/passes/convert-opset.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../../lib/compiler/passes/presets.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { difference, fromOrt, toOrtFeeds } from '../../../support/compare-outputs.js';
import { emulateStatic, NotANumberError } from '../../../support/emulate-static.js';
import { staticPlan } from '../../../support/quantization-plan.js';
import { randomGraphs } from '../../../support/random-graph.js';
import { runModel } from '../../../support/run-model.js';

const recipes: fc.Arbitrary<StaticRecipe> = fc.record({
  scheme: fc.constant('int8-static' as const),
  activations: fc.constantFrom('uint8', 'int8', 'uint16', 'int16'),
  weights: fc.constantFrom('int8', 'uint8'),
  perChannel: fc.boolean(),
  reduceRange: fc.boolean(),
});

describe('random graphs with static ranges', () => {
  it('return what rounding by hand returns, bit for bit', async () => {
    let quantizedNodes = 0;
    await fc.assert(
      fc.asyncProperty(
        randomGraphs({ layers: true, maximumOperations: 20 }),
        recipes,
        fc.nat(),
        async (graphs, recipe, seed) => {
          const { model: original, feeds } = graphs.build();
          const { model } = graphs.build();
          for (const each of [original, model]) {
            // Conversion may write one node as several.
            await runPasses(each, [...normalize(), convertOpset(13)]);
            allowConstants(each);
          }
          const names = new Set(original.graph.nodes.map((node) => node.outputs[0]?.name));
          // Leaves out some nodes, so that quantized ones stand next to others.
          let count = 0;
          const only = (node: { graph?: unknown }) => node.graph === model.graph && (seed >> (count++ % 16)) % 4 !== 0;
          const { plan, values, ranges } = await staticPlan(model, toOrtFeeds(feeds), { recipe, only });
          const { declined } = applyPlan(model, plan);
          validate(model);
          // Ranges of all serve any choice of nodes; some cannot be had, of NaN or of nothing.
          if (ranges.size === values.length) {
            expect(declined.filter(({ reason }) => reason.includes('is not known'))).toEqual([]);
          }
          const left = new Set(declined.map(({ node }) => node));
          const quantized = new Set(plan.recipes.map(({ node }) => node.output).filter((name) => !left.has(name)));
          for (const name of quantized) expect(names).toContain(name);
          quantizedNodes += quantized.size;

          const expected = await emulateStatic(original, model, { recipe, quantized }, feeds).catch(ofNumbers);
          fc.pre(expected !== undefined);
          const actual = await runModel(modelToBytes(model), toOrtFeeds(feeds));
          expect(Object.keys(actual)).toEqual(Object.keys(expected));
          for (const [name, tensor] of Object.entries(expected)) {
            const value = actual[name];
            const found =
              value === undefined
                ? 'missing'
                : difference(withoutSignsOfZero(fromOrt(value)), withoutSignsOfZero(tensor));
            if (found !== undefined) throw new Error(`'${name}': ${found}`);
          }
          // The fused form must load and run as well, unless onnxruntime's optimizer fails on the float32 model too.
          const all = { graphOptimizationLevel: 'all' } as const;
          await runModel(modelToBytes(model), toOrtFeeds(feeds), all).catch(async (error: unknown) => {
            const isOurs = await runModel(modelToBytes(original), toOrtFeeds(feeds), all).then(
              () => true,
              () => false,
            );
            if (isOurs) throw error;
          });
        },
      ),
      { seed: 1, numRuns: 140 },
    );
    expect(quantizedNodes).toBeGreaterThan(150);
  });
});

/** Rounding may make a divisor 0. */
function ofNumbers(error: unknown): undefined {
  if (!(error instanceof NotANumberError)) throw error;
}

/** Integers know no -0. */
function withoutSignsOfZero(tensor: Tensor): Tensor {
  if (tensor.elementType !== 'float32') return tensor;
  return Tensor.fromNumbers(
    'float32',
    tensor.dims,
    tensor.numbers().map((number) => number + 0),
  );
}
