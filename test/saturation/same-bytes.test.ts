import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StaticRecipe } from '../../lib/artifact/recipe.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { correctBiases } from '../../lib/compiler/quantize/accuracy/bias-correction.js';
import { equalize } from '../../lib/compiler/quantize/accuracy/equalization.js';
import { reconstructWeights } from '../../lib/compiler/quantize/accuracy/reconstruct-weights.js';
import { prepared } from '../support/calibration-data.js';
import { photoFeeds, QuantizedModel } from '../support/quantized-gain.js';
import { appliedDigest, writePlan } from './apply-plan-process.js';
import {
  GRAVITON_NOTE,
  GRAVITON_SKIPPED,
  gravitonCpu,
  HASWELL_NOTE,
  HASWELL_SKIPPED,
  haswell,
  runScript,
} from './cpu-models.js';

const RECIPE: StaticRecipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-same-bytes-'));
const [script, modelFile, planFile] = ['apply.mjs', 'model.onnx', 'plan.json'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
let expected: string;

/** The face detector with a plan that has something of everything: recipes, ranges, changed weights, chosen integers, a bias that is new. */
beforeAll(async () => {
  const model = await prepared('blazefaceBack');
  writeFileSync(modelFile, modelToBytes(model));
  const photos = photoFeeds().slice(0, 2);
  const quantized = new QuantizedModel(model, RECIPE, photos, []);
  const { weights } = equalize(model);
  const plan = await quantized.plan(weights);
  const { assignments, calibration } = quantized;
  const { quantizedWeights } = await reconstructWeights(model, assignments, calibration, {
    weights,
    guardsSaturation: true,
  });
  const corrected = await correctBiases(model, { ...plan, quantizedWeights }, calibration);
  const whole = { ...plan, quantizedWeights, weights: corrected.weights };
  expect([...whole.weights.keys()].some((name) => name.includes('#'))).toBe(true);
  writeFileSync(planFile, writePlan(whole));
  expected = await appliedDigest(modelFile, planFile);
  await build({
    entryPoints: [join(import.meta.dirname, 'apply-plan-process.ts')],
    outfile: script,
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node24', logLevel: 'error' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a plan gives the same bytes each time', async () => {
  expect(await appliedDigest(modelFile, planFile)).toBe(expected);
});

it.skipIf(HASWELL_SKIPPED)(`a plan gives the same bytes on x86-64 without VNNI${HASWELL_NOTE}`, async () => {
  expect(await runScript(haswell(), script, modelFile, planFile, 'apply')).toBe(`x64 ${expected}`);
});

it.skipIf(GRAVITON_SKIPPED)(`a plan gives the same bytes on arm64${GRAVITON_NOTE}`, async () => {
  expect(await runScript(gravitonCpu(), script, modelFile, planFile, 'apply')).toBe(`arm64 ${expected}`);
});
