import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { convertOpset, DEFAULT_OPSET } from '../../../lib/compiler/passes/convert-opset.js';
import { foldScaleShiftIntoConsumers } from '../../../lib/compiler/passes/fold-scale-shift-into-consumers.js';
import { foldScaleShiftIntoProducer } from '../../../lib/compiler/passes/fold-scale-shift-into-producer.js';
import { fuseGelu } from '../../../lib/compiler/passes/fuse-gelu.js';
import { fuseHardSwish } from '../../../lib/compiler/passes/fuse-hard-swish.js';
import { fuseLayerNormalization } from '../../../lib/compiler/passes/fuse-layer-normalization.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../lib/compiler/passes/presets.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { compareInFrontOfSigmoid } from '../../support/compare-in-front-of-sigmoid.js';
import { largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';
import { randomGraphs } from '../../support/random-graph.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../support/real-models.js';
import { runModel } from '../../support/run-model.js';

const fusions = () => [
  fuseLayerNormalization(),
  fuseGelu(),
  fuseHardSwish(),
  foldScaleShiftIntoProducer(),
  foldScaleShiftIntoConsumers(),
];

/** How many nodes of each model the fusions take out at least: less would mean that a pattern is no longer seen. */
const REMOVED: Readonly<Record<RealModelName, number>> = {
  blazefaceBack: 0,
  blazefaceFront: 0,
  sileroV5: 0,
  sileroV6: 0,
  sileroLegacy: 0,
  ocrDetector: 160,
  ocrRecognizer: 210,
  ocrAngleClassifier: 85,
};

describe.each(Object.keys(realModels) as RealModelName[])('%s', (name) => {
  it('computes the same within 1e-5 after the fusions, with fewer nodes', async () => {
    const model = await readOnnx(realModels[name]);
    if (name === 'ocrDetector') compareInFrontOfSigmoid(model);
    await runPasses(model, [...normalize(), convertOpset(DEFAULT_OPSET)]);
    const nodes = model.graph.nodes.length;
    const { before, after } = await beforeAndAfter(model, fusions(), realModelFeeds(name));
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-5);
    expect(nodes - model.graph.nodes.length).toBeGreaterThanOrEqual(REMOVED[name]);
  });
});

it('random graphs compute the same within 1e-5', { timeout: 120_000 }, async () => {
  let modified = 0;
  await fc.assert(
    fc.asyncProperty(randomGraphs({ maximumOperations: 24 }), async (recipe) => {
      const { model, feeds } = recipe.build();
      const before = await runModel(modelToBytes(model), toOrtFeeds(feeds));
      const result = await runPasses(model, fusions());
      if (result.modified.length === 0) return;
      modified++;
      const after = await runModel(modelToBytes(model), toOrtFeeds(feeds));
      expect(largestRelativeDifference(after, before)).toBeLessThan(1e-5);
    }),
    { seed: 5, numRuns: 300 },
  );
  expect(modified).toBeGreaterThan(40);
});
