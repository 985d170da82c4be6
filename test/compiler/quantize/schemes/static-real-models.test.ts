import { describe, expect, it } from 'vitest';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { validate } from '../../../../lib/compiler/ir/validation.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../../lib/compiler/passes/presets.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { readOnnx } from '../../../../lib/compiler/readers/onnx.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { type Outputs, signalToNoise } from '../../../support/before-and-after.js';
import { optimizedOperators } from '../../../support/optimized-graph.js';
import { STATIC, staticPlan } from '../../../support/quantization-plan.js';
import { realModelFeeds } from '../../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../../support/real-models.js';
import { runModel } from '../../../support/run-model.js';
import { PRODUCTS_SATURATE } from '../../../support/saturating-cpu.js';

async function normalized(name: RealModelName): Promise<Model> {
  const model = await readOnnx(realModels[name]);
  await runPasses(model, normalize());
  await inferTypes(model);
  await runPasses(model, lossless());
  await inferTypes(model);
  return model;
}

const signature = ({ graph }: Model) => ({
  inputs: graph.inputs.map(({ name, type }) => ({ name, type })),
  outputs: graph.outputs.map(({ name, type }) => ({ name, type })),
});

/** Convolutions, the least signal to noise on one picture of noise in decibels, the file's size against float32. */
const MODELS = [
  { name: 'blazefaceBack', convolutions: 69, decibels: 13, size: 0.65 },
  { name: 'ocrDetector', convolutions: 62, decibels: 10, size: 0.3 },
  { name: 'ocrAngleClassifier', convolutions: 53, decibels: 20, size: 0.51 },
  { name: 'ocrRecognizer', convolutions: 38, decibels: 10, size: 0.28 },
] as const;

describe.each(MODELS)('$name with static ranges', ({ name, convolutions, decibels, size }) => {
  it('keeps its signature, and every convolution runs on integers', async () => {
    const model = await normalized(name);
    const feeds = realModelFeeds(name);
    const before = modelToBytes(model);
    const expected = (await runModel(before, feeds)) as Outputs;
    const { plan } = await staticPlan(model, feeds);
    const had = signature(model);
    const { declined } = applyPlan(model, plan);
    // A pooling or a Relu behind what is computed in float32 anyway.
    expect(declined.filter(({ reason }) => !reason.includes('what it reads is not quantized'))).toEqual([]);
    expect(declined.length).toBeLessThanOrEqual(1);
    validate(model);
    expect(signature(model)).toEqual(had);
    const after = modelToBytes(model);
    expect(after.byteLength / before.byteLength).toBeLessThan(size);

    // Where products saturate, onnxruntime cannot rewrite each of these for its exact kernels.
    const levels = PRODUCTS_SATURATE ? (['disabled'] as const) : (['disabled', 'all'] as const);
    for (const graphOptimizationLevel of levels) {
      const actual = (await runModel(after, feeds, { graphOptimizationLevel })) as Outputs;
      expect(signalToNoise(expected, actual)).toBeGreaterThan(decibels);
    }
    const operators = await optimizedOperators(after);
    expect(operators.filter((opType) => opType === 'QLinearConv').length).toBe(convolutions);
    expect(operators).not.toContain('Conv');
  });
});

describe('16-bit activations', () => {
  it('lose only what the weights lose', async () => {
    const model = await normalized('ocrAngleClassifier');
    const feeds = realModelFeeds('ocrAngleClassifier');
    const expected = (await runModel(modelToBytes(model), feeds)) as Outputs;
    const { plan } = await staticPlan(model, feeds, { recipe: { ...STATIC, activations: 'uint16' } });
    expect(applyPlan(model, plan).declined.length).toBeLessThanOrEqual(1);
    const after = (await runModel(modelToBytes(model), feeds)) as Outputs;
    expect(signalToNoise(expected, after)).toBeGreaterThan(35);
  });
});

describe('the same model and plan', () => {
  it('give the same bytes', async () => {
    const files: Uint8Array[] = [];
    for (let run = 0; run < 2; run++) {
      const model = await normalized('ocrAngleClassifier');
      const { plan } = await staticPlan(model, realModelFeeds('ocrAngleClassifier'));
      // The order of a plan's entries says nothing.
      const recipes = run === 0 ? plan.recipes : [...plan.recipes].reverse();
      applyPlan(model, { ...plan, recipes });
      files.push(modelToBytes(model));
    }
    expect(Buffer.compare(files[0] ?? Buffer.of(), files[1] ?? Buffer.of(1))).toBe(0);
  });
});
