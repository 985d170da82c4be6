/** Quantizes a small model with ranges of one input, and runs it before and after. */
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { validate } from '../../lib/compiler/ir/validation.js';
import { applyPlan } from '../../lib/compiler/quantize/apply-plan.js';
import type { AppliedPlan } from '../../lib/compiler/quantize/plan.js';
import { type Outputs, signalToNoise } from './before-and-after.js';
import { type OrtFeeds, type StaticPlanOptions, staticPlan } from './quantization-plan.js';
import { runModel } from './run-model.js';

export interface Quantized {
  readonly model: Model;
  readonly bytes: Uint8Array;
  readonly declined: AppliedPlan['declined'];
  readonly before: Outputs;
  /** Run as onnxruntime fuses it. */
  readonly after: Outputs;
  /** Signal to noise of the worst output. */
  readonly decibels: number;
}

export async function quantizeAndRun(
  model: Model,
  feeds: OrtFeeds,
  options: StaticPlanOptions = {},
): Promise<Quantized> {
  const before = (await runModel(modelToBytes(model), feeds)) as Outputs;
  const { plan } = await staticPlan(model, feeds, options);
  const { declined } = applyPlan(model, plan);
  validate(model);
  const bytes = modelToBytes(model);
  const after = (await runModel(bytes, feeds, { graphOptimizationLevel: 'all' })) as Outputs;
  return { model, bytes, declined, before, after, decibels: signalToNoise(before, after) };
}
