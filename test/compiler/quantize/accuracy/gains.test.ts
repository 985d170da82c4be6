import { describe, expect, it } from 'vitest';
import type { StaticRecipe, WeightOnlyRecipe } from '../../../../lib/artifact/recipe.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { correctBiases } from '../../../../lib/compiler/quantize/accuracy/bias-correction.js';
import { equalize } from '../../../../lib/compiler/quantize/accuracy/equalization.js';
import { reconstructWeights } from '../../../../lib/compiler/quantize/accuracy/reconstruct-weights.js';
import { guardSaturation } from '../../../../lib/compiler/quantize/accuracy/saturation-guard.js';
import { prepared } from '../../../support/calibration-data.js';
import { photoFeeds, QuantizedModel, toFeeds } from '../../../support/quantized-gain.js';
import { realModelFeeds } from '../../../support/real-model-feeds.js';

const WEIGHT_ONLY: WeightOnlyRecipe = { scheme: 'int8-weight-only', perChannel: true };
const STATIC: StaticRecipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: false,
  reduceRange: false,
};

const textLines = (count: number, seed: number) =>
  Array.from({ length: count }, (_, index) => toFeeds(realModelFeeds('ocrAngleClassifier', seed + 10 * index)));

async function angleClassifier() {
  return new QuantizedModel(await prepared('ocrAngleClassifier'), WEIGHT_ONLY, textLines(4, 100), textLines(2, 1));
}

async function faceDetector() {
  const photos = photoFeeds();
  return new QuantizedModel(await prepared('blazefaceBack'), STATIC, photos.slice(0, 4), photos.slice(4));
}

describe('rounding by reconstruction', () => {
  it('gains over 8 dB with int8 weights of the angle classifier, and no layer loses', async () => {
    const quantized = await angleClassifier();
    const plan = await quantized.plan();
    const before = modelToBytes(quantized.model);
    const progress: number[] = [];
    const { quantizedWeights, layers, declined } = await reconstructWeights(
      quantized.model,
      quantized.assignments,
      quantized.calibration,
      { onProgress: (done) => progress.push(done) },
    );
    expect(declined.every(({ reason }) => reason.includes('too small'))).toBe(true);
    expect(layers.length).toBeGreaterThan(30);
    expect(progress.at(-1)).toBe(layers.length);
    expect(Math.min(...layers.map(({ gain }) => gain))).toBeGreaterThanOrEqual(0);
    const [usual, rounded] = [
      await quantized.signalToNoise(plan),
      await quantized.signalToNoise({ ...plan, quantizedWeights }),
    ];
    expect(rounded - usual).toBeGreaterThan(8);
    expect(modelToBytes(quantized.model)).toEqual(before);
  });

  it('gives the same integers when the sums do not fit the memory at once', async () => {
    const quantized = await angleClassifier();
    const few = quantized.assignments.slice(0, 6);
    const { calibration, model } = quantized;
    const whole = await reconstructWeights(model, few, calibration);
    const parts = await reconstructWeights(model, few, calibration, { maximumSumBytes: 1, maximumBytes: 1 });
    expect([...parts.quantizedWeights.keys()]).toEqual([...whole.quantizedWeights.keys()]);
    for (const [name, weight] of whole.quantizedWeights) expect(parts.quantizedWeights.get(name)).toEqual(weight);
  });

  it('within what x64 can add loses far less than guarding afterwards', async () => {
    const quantized = await faceDetector();
    const plan = await quantized.plan();
    const { model, assignments, calibration } = quantized;
    const { quantizedWeights } = await reconstructWeights(model, assignments, calibration, { guardsSaturation: true });
    expect(guardSaturation(assignments, { quantizedWeights }).guarded).toEqual([]);
    const afterwards = guardSaturation(assignments);
    expect(afterwards.guarded.length).toBeGreaterThan(20);
    const [within, after] = [
      await quantized.signalToNoise({ ...plan, quantizedWeights }),
      await quantized.signalToNoise({ ...plan, quantizedWeights: afterwards.quantizedWeights }),
    ];
    expect(within - after).toBeGreaterThan(2);
  });
});

describe('bias correction', () => {
  it('gains over 5 dB with int8 weights of the angle classifier', async () => {
    const quantized = await angleClassifier();
    const plan = await quantized.plan();
    const { weights, corrected } = await correctBiases(quantized.model, plan, quantized.calibration);
    expect(corrected.length).toBeGreaterThan(30);
    const [usual, mended] = [await quantized.signalToNoise(plan), await quantized.signalToNoise({ ...plan, weights })];
    expect(mended - usual).toBeGreaterThan(5);
  });
});

describe('equalization', () => {
  it('gains over 3 dB with static quantization of the face detector, one scale per tensor', async () => {
    const quantized = await faceDetector();
    const { weights } = equalize(quantized.model);
    const [usual, even] = [
      await quantized.signalToNoise(await quantized.plan()),
      await quantized.signalToNoise(await quantized.plan(weights)),
    ];
    expect(even - usual).toBeGreaterThan(3);
  });
});
