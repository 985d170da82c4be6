import fc from 'fast-check';
import { expect, it } from 'vitest';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { validate } from '../../../../lib/compiler/ir/validation.js';
import { constantsToInitializers } from '../../../../lib/compiler/passes/constants-to-initializers.js';
import { foldConstants } from '../../../../lib/compiler/passes/fold-constants.js';
import { pushTransposes } from '../../../../lib/compiler/passes/layout/push-transposes.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { removeDeadNodes } from '../../../../lib/compiler/passes/remove-dead-nodes.js';
import { expectEqualOutputs, largestRelativeDifference, toOrtFeeds } from '../../../support/compare-outputs.js';
import { countTransposes } from '../../../support/count-transposes.js';
import { optimizedModel } from '../../../support/optimized-graph.js';
import { randomGraphs } from '../../../support/random-graph.js';
import { runModel } from '../../../support/run-model.js';

/** Operators whose sums may be taken in another order. */
const SUMMING = [
  'GlobalAveragePool',
  'MatMul',
  'Gemm',
  'ReduceMean',
  'ReduceSum',
  'Softmax',
  'LogSoftmax',
  'BatchNormalization',
];

const options = { opsets: [18], channelsLast: true, maximumOperations: 16 } as const;

it('random channels-last graphs compute the same with no more Transposes, and a second time changes nothing', {
  timeout: 240_000,
}, async () => {
  let [before, after, changed, exact] = [0, 0, 0, 0];
  await fc.assert(
    fc.asyncProperty(randomGraphs(options), async (recipe) => {
      const { model, feeds } = recipe.build();
      const bytes = modelToBytes(model);
      const expected = await runModel(bytes, toOrtFeeds(feeds));
      const rounds = model.graph.nodes.some((node) => node.is(...SUMMING));
      const count = countTransposes(model);
      const { modified } = await runPasses(model, [pushTransposes()]);
      validate(model);
      const result = modelToBytes(model);
      if (modified.length === 0) expect(Buffer.compare(result, bytes)).toBe(0);
      expect(countTransposes(model)).toBeLessThanOrEqual(count);
      const actual = await runModel(result, toOrtFeeds(feeds));
      if (rounds) expect(largestRelativeDifference(actual, expected)).toBeLessThan(1e-5);
      else {
        expectEqualOutputs(actual, expected);
        exact++;
      }
      expect((await runPasses(model, [pushTransposes()])).modified).toEqual([]);
      before += count;
      after += countTransposes(model);
      changed += modified.length;
    }),
    { seed: 21, numRuns: 400 },
  );
  expect(changed).toBeGreaterThan(200);
  expect(exact).toBeGreaterThan(40);
  expect(after).toBeLessThan(before / 2);
});

it('onnxruntime takes no more Transposes out of random channels-last graphs at level basic', {
  timeout: 240_000,
}, async () => {
  let [ours, theirs, worse] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(randomGraphs({ ...options, subgraphs: false }), async (recipe) => {
      const { model } = recipe.build();
      // What nobody needs, and what is constant, onnxruntime takes out first.
      await runPasses(model, [constantsToInitializers(), foldConstants({ maximumGrowth: 2 ** 16 }), removeDeadNodes()]);
      const optimized = countTransposes(await optimizedModel(modelToBytes(model), 'basic'));
      await runPasses(model, [pushTransposes()]);
      // What it computes once and for all is not there any more on either side.
      const folded = await optimizedModel(modelToBytes(model), 'basic');
      const own = Math.min(countTransposes(model), countTransposes(folded));
      ours += own;
      theirs += optimized;
      if (own > optimized) worse++;
    }),
    { seed: 22, numRuns: 200 },
  );
  expect(ours).toBeLessThan(0.7 * theirs);
  // A caller may override constants that onnxruntime takes for granted.
  expect(worse).toBeLessThanOrEqual(2);
});
