/** Small networks before and after their Transposes are pushed. */
import { expect } from 'vitest';
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { validate } from '../../lib/compiler/ir/validation.js';
import type { Dimension, Value } from '../../lib/compiler/ir/value.js';
import { shapeOf } from '../../lib/compiler/lowering/shape.js';
import { pushTransposes } from '../../lib/compiler/passes/layout/push-transposes.js';
import { type PassesResult, runPasses } from '../../lib/compiler/passes/pass.js';
import { ChannelsLastNetwork, randomFloats } from './channels-last-network.js';
import { expectEqualOutputs, largestRelativeDifference, toOrtFeeds } from './compare-outputs.js';
import { countTransposes } from './count-transposes.js';
import { runModel } from './run-model.js';

/** [N, H, W, C] */
export const IMAGE = [2, 6, 5, 4] as const;

export interface PushOutcome extends PassesResult {
  readonly model: Model;
  /** Transposes before and after. */
  readonly before: number;
  readonly after: number;
}

/** Pushes, runs before and after on random inputs, and expects no more difference than `tolerance`; 0 is bit for bit. */
export async function push(model: Model, tolerance = 0, batch = 2): Promise<PushOutcome> {
  const feeds = toOrtFeeds(
    Object.fromEntries(
      model.graph.inputs.map((value, index) => {
        const dims = shapeOf(value).map((size) => (typeof size === 'number' ? size : batch));
        return [value.name, randomFloats(dims, index + 1)];
      }),
    ),
  );
  const before = countTransposes(model);
  const expected = await runModel(modelToBytes(model), feeds);
  const result = await runPasses(model, [pushTransposes()]);
  validate(model);
  const actual = await runModel(modelToBytes(model), feeds);
  if (tolerance === 0) expectEqualOutputs(actual, expected);
  else expect(largestRelativeDifference(actual, expected)).toBeLessThanOrEqual(tolerance);
  return { ...result, model, before, after: countTransposes(model) };
}

export type Write = (network: ChannelsLastNetwork, x: Value) => Value | readonly Value[];

/** input → convolution → what is under test → a convolution of each of its pictures → outputs. */
export function between(write: Write, shape: readonly Dimension[] = IMAGE): Model {
  const network = new ChannelsLastNetwork();
  const x = network.convolution(network.input('x', shape), 4);
  const results = [write(network, x)].flat() as Value[];
  return network.builder.finish(
    results.map((value, index) => ({
      name: `y${index}`,
      value: shapeOf(value).length === shape.length ? network.convolution(value, 3) : value,
    })),
  );
}
