import { beforeAll, describe, expect, it } from 'vitest';
import type { DynamicRecipe } from '../../lib/artifact/recipe.js';
import { attribute } from '../../lib/compiler/ir/attribute.js';
import { copyModel } from '../../lib/compiler/ir/copy.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { nodesOf } from '../../lib/compiler/ir/traversal.js';
import { guardSaturation } from '../../lib/compiler/quantize/accuracy/saturation-guard.js';
import { applyPlan } from '../../lib/compiler/quantize/apply-plan.js';
import { nodeKeyOf } from '../../lib/compiler/quantize/node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../lib/compiler/quantize/plan.js';
import { type Outputs, signalToNoise } from '../support/before-and-after.js';
import { ModelBuilder } from '../support/model-builder.js';
import { randomFloats } from '../support/random-numbers.js';
import { HASWELL_NOTE, HASWELL_SKIPPED, haswell, runOn } from './cpu-models.js';

const [STEPS, INPUT, HIDDEN] = [5, 64, 16];

/** Rows of nearly equal weights: every pair of them is beyond what 16 bits hold. */
function bidirectionalLstm(): Model {
  const b = new ModelBuilder(14);
  const flat = (dims: readonly [number, number, number], seed: number) =>
    b.floats(
      randomFloats(dims[0] * dims[1] * dims[2], seed, 0.045, 0.05).map((value, index) =>
        Math.floor(index / dims[2]) % 2 === 0 ? value : -value,
      ),
      dims,
    );
  const inputs = [b.input('x', [STEPS, 1, INPUT]), flat([2, 4 * HIDDEN, INPUT], 1), flat([2, 4 * HIDDEN, HIDDEN], 2)];
  const attributes = { hidden_size: attribute.int(HIDDEN), direction: attribute.string('bidirectional') };
  return b.finish([b.add('LSTM', inputs, { attributes })]);
}

describe.skipIf(HASWELL_SKIPPED)(`an LSTM quantized at run time, on x86-64 without VNNI${HASWELL_NOTE}`, () => {
  const cases = [true, false].flatMap((perChannel) => [
    { perChannel, guarded: true },
    { perChannel, guarded: false },
  ]);
  const noise = new Map<string, number>();
  const nameOf = (of: { readonly perChannel: boolean; readonly guarded: boolean }) => JSON.stringify(of);

  beforeAll(async () => {
    const original = bidirectionalLstm();
    const data = randomFloats(STEPS * INPUT, 3, -1, 1);
    const feeds = { x: { dataType: 'float32', dims: [STEPS, 1, INPUT], data } } as const;
    const models = cases.map(({ perChannel, guarded }) => {
      const model = copyModel(original);
      applyPlan(model, planOf(model, perChannel, guarded));
      return { model: modelToBytes(model), feeds: [feeds] };
    });
    const answers = await runOn(haswell(), [{ model: modelToBytes(original), feeds: [feeds] }, ...models]);
    const [exact, ...quantized] = answers.map(([outputs]) => outputs as unknown as Outputs);
    for (const [index, each] of cases.entries()) {
      noise.set(nameOf(each), signalToNoise(exact ?? {}, quantized[index] ?? {}));
    }
  }, 120_000);

  it.each([true, false])('answers as in float32 if it is guarded, with a scale per channel: %s', (perChannel) => {
    expect(noise.get(nameOf({ perChannel, guarded: true }))).toBeGreaterThan(25);
  });

  it.each([true, false])('does not if it is not, with a scale per channel: %s', (perChannel) => {
    expect(noise.get(nameOf({ perChannel, guarded: false }))).toBeLessThan(15);
  });
});

function planOf(model: Model, perChannel: boolean, guarded: boolean): QuantizationPlan {
  const [node] = [...nodesOf(model)];
  if (node === undefined) throw new TypeError('the model has one node');
  const recipe: DynamicRecipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel, reduceRange: false };
  const { quantizedWeights } = guarded ? guardSaturation([{ node, recipe }]) : EMPTY_PLAN;
  return { ...EMPTY_PLAN, recipes: [{ node: nodeKeyOf(node), recipe }], quantizedWeights };
}
