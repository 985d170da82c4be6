import { expect, it } from 'vitest';
import type { StaticRecipe } from '../../../../lib/artifact/recipe.js';
import { copyModel } from '../../../../lib/compiler/ir/copy.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { accuracyPreparations, assignmentsOf } from '../../../../lib/compiler/quantize/accuracy/preparations.js';
import { guardSaturation } from '../../../../lib/compiler/quantize/accuracy/saturation-guard.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../../../lib/compiler/quantize/plan.js';
import { prepared } from '../../../support/calibration-data.js';
import { photoFeeds, QuantizedModel } from '../../../support/quantized-gain.js';

const STATIC: StaticRecipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};

it('are in the order of their stages, and guard x86-64 only', () => {
  const names = (architecture: 'arm64' | 'x86_64') =>
    accuracyPreparations({ architecture }).map(({ name, stage }) => `${stage} ${name}`);
  expect(names('arm64')).toEqual([
    'before equalization',
    'before smoothing',
    'after rounding',
    'after bias-correction',
  ]);
  expect(names('x86_64')).toEqual([
    'before equalization',
    'before smoothing',
    'always saturation-guard',
    'after rounding',
    'after bias-correction',
  ]);
});

it('all together give the face detector a plan that applies, gains, cannot saturate, and is the same each time', async () => {
  const photos = photoFeeds();
  const model = await prepared('blazefaceBack');
  const quantized = new QuantizedModel(model, STATIC, photos.slice(0, 2), photos.slice(4, 5));
  const untouched = modelToBytes(model);
  const preparations = accuracyPreparations({ architecture: 'x86_64' });
  const context = { model, calibration: quantized.calibration, seed: 1, signal: new AbortController().signal };
  let [weights, again] = [EMPTY_PLAN, undefined as QuantizationPlan | undefined];
  for (const each of preparations.filter(({ stage }) => stage === 'before')) {
    weights = (await each.apply({ ...context, plan: weights })) ?? weights;
  }
  const recipes = await quantized.plan(weights.weights);
  const finish = async () => {
    let plan = recipes;
    for (const each of preparations.filter(({ stage }) => stage !== 'before')) {
      plan = (await each.apply({ ...context, plan })) ?? plan;
    }
    return plan;
  };
  const plan = await finish();
  again = await finish();
  expect(modelToBytes(model)).toEqual(untouched);
  expect(weights.weights.size).toBeGreaterThan(20);
  expect(plan.quantizedWeights.size).toBeGreaterThan(40);
  expect(guardSaturation(assignmentsOf(model, plan), plan).guarded).toEqual([]);
  const bytesOf = (each: QuantizationPlan) => {
    const copy = copyModel(model);
    expect(applyPlan(copy, each).declined).toEqual([]);
    return modelToBytes(copy);
  };
  expect(bytesOf(again)).toEqual(bytesOf(plan));
  expect(await quantized.signalToNoise(plan)).toBeGreaterThan(await quantized.signalToNoise(await quantized.plan()));
});
