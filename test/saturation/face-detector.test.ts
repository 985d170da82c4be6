import { beforeAll, describe, expect, it } from 'vitest';
import type { StaticRecipe } from '../../lib/artifact/recipe.js';
import { copyModel } from '../../lib/compiler/ir/copy.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { guardSaturation } from '../../lib/compiler/quantize/accuracy/saturation-guard.js';
import { applyPlan } from '../../lib/compiler/quantize/apply-plan.js';
import { type Outputs, signalToNoise } from '../support/before-and-after.js';
import { prepared } from '../support/calibration-data.js';
import { photoFeeds, QuantizedModel } from '../support/quantized-gain.js';
import {
  GRAVITON_NOTE,
  GRAVITON_SKIPPED,
  gravitonCpu,
  HASWELL_NOTE,
  HASWELL_SKIPPED,
  haswell,
  runOn,
} from './cpu-models.js';

const RECIPE: StaticRecipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};

const SKIPPED = HASWELL_SKIPPED || GRAVITON_SKIPPED;
const NOTE = HASWELL_NOTE || GRAVITON_NOTE;

describe.skipIf(SKIPPED)(`the face detector in int8, on a photo${NOTE}`, () => {
  const plans = ['guarded', 'unguarded'] as const;
  const answers = new Map<string, Outputs>();

  /** Nothing saturates on arm64, which gives the answers that x86-64 with VNNI gives, too. */
  beforeAll(async () => {
    const model = await prepared('blazefaceBack');
    const photos = photoFeeds();
    const quantized = new QuantizedModel(model, RECIPE, photos.slice(0, 3), []);
    const plan = await quantized.plan();
    const { quantizedWeights } = guardSaturation(quantized.assignments);
    const models = [{ ...plan, quantizedWeights }, plan].map((each) => {
      const copy = copyModel(model);
      applyPlan(copy, each);
      return { model: modelToBytes(copy), feeds: photos.slice(4, 5) };
    });
    for (const cpu of [haswell(), gravitonCpu()]) {
      for (const [index, [outputs]] of (await runOn(cpu, models)).entries()) {
        answers.set(`${cpu.architecture} ${plans[index]}`, outputs as unknown as Outputs);
      }
    }
  }, 180_000);

  const between = (plan: (typeof plans)[number]) =>
    signalToNoise(answers.get(`arm64 ${plan}`) ?? {}, answers.get(`x86_64 ${plan}`) ?? {});

  it('answers on x86-64 without VNNI bit for bit what arm64 answers, if it is guarded', () => {
    expect(Object.keys(answers.get('arm64 guarded') ?? {})).toHaveLength(4);
    expect(between('guarded')).toBe(Number.POSITIVE_INFINITY);
  });

  it('answers nonsense there if it is not', () => {
    expect(between('unguarded')).toBeLessThan(0);
  });
});
