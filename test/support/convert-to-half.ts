/** Runs a model before and after it is converted to half precision. */
import { expect } from 'vitest';
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { validate } from '../../lib/compiler/ir/validation.js';
import { computeFloat16 } from '../../lib/compiler/passes/compute-float16.js';
import { withRounding } from '../../lib/compiler/passes/half-precision/with-rounding.js';
import type { Feeds, Outputs } from './before-and-after.js';
import { runModel } from './run-model.js';

/** As a GPU would round. Expects a valid model whose outputs keep names, types and shapes. */
export async function convertToHalf(model: Model, feeds: Feeds) {
  const before = (await runModel(modelToBytes(model), feeds)) as Outputs;
  const { declined = [] } = computeFloat16().run(model);
  validate(model);
  // The model as it is must open and run too.
  await runModel(modelToBytes(model), feeds, { graphOptimizationLevel: 'all' });
  const rounding = withRounding(model);
  validate(rounding);
  const after = (await runModel(modelToBytes(rounding), feeds)) as Outputs;
  const shapes = (outputs: Outputs) => Object.entries(outputs).map(([name, { type, dims }]) => [name, type, [...dims]]);
  expect(shapes(after)).toEqual(shapes(before));
  return { before, after, declined };
}
