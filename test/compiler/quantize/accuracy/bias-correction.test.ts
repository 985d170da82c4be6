import { describe, expect, it } from 'vitest';
import type { Recipe } from '../../../../lib/artifact/recipe.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { copyModel } from '../../../../lib/compiler/ir/copy.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import type { Value } from '../../../../lib/compiler/ir/value.js';
import { correctBiases } from '../../../../lib/compiler/quantize/accuracy/bias-correction.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { nodeKeyOf } from '../../../../lib/compiler/quantize/node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../../../lib/compiler/quantize/plan.js';
import { dataSet } from '../../../support/calibration-data.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { toFeeds } from '../../../support/quantized-gain.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';

const RECIPE: Recipe = { scheme: 'int8-weight-only', perChannel: false };

function planOf(model: Model, opTypes: readonly string[], recipe = RECIPE): QuantizationPlan {
  const nodes = model.graph.nodes.filter((node) => node.is(...opTypes));
  return { ...EMPTY_PLAN, recipes: nodes.map((node) => ({ node: nodeKeyOf(node), recipe })) };
}

/** Rounded coarsely: a large weight takes the scale from the others. Inputs are far from 0, so that rounding shifts the mean. */
function coarse(count: number, seed: number): Float32Array {
  const weights = randomFloats(count, seed, -0.03, 0.03);
  weights[0] = 3;
  return weights;
}

const runs = (dims: readonly number[]) =>
  Array.from({ length: 6 }, (_, index) => ({ x: randomTensor(dims, index + 1, 1, 2) }));

/** Mean over all runs of what the plan changes, by channel: before and after correction. */
async function shifts(model: Model, plan: QuantizationPlan, dims: readonly number[], channelAxis: number) {
  const feeds = runs(dims);
  const { weights, corrected, declined } = await correctBiases(
    model,
    plan,
    dataSet(feeds.map((feed) => [toFeeds(feed)])),
  );
  const changed = [plan, { ...plan, weights }].map((each) => {
    const quantized = copyModel(model);
    expect(applyPlan(quantized, each).declined).toEqual([]);
    return modelToBytes(quantized);
  });
  const largest: number[] = [];
  for (const bytes of changed) {
    const sums: number[] = [];
    for (const feed of feeds) {
      const [expected, actual] = [await runModel(modelToBytes(model), feed), await runModel(bytes, feed)];
      const [y, q] = [Object.values(expected)[0], Object.values(actual)[0]] as {
        readonly data: Float32Array;
        readonly dims: readonly number[];
      }[];
      const channels = y?.dims[channelAxis] ?? 1;
      const inner = (y?.dims ?? []).slice(channelAxis + 1).reduce((a, b) => a * b, 1);
      for (const [index, value] of (y?.data ?? new Float32Array()).entries()) {
        const channel = Math.floor(index / inner) % channels;
        sums[channel] = (sums[channel] ?? 0) + (q?.data[index] ?? Number.NaN) - value;
      }
    }
    largest.push(Math.max(...sums.map(Math.abs)));
  }
  return { before: largest[0] ?? 0, after: largest[1] ?? Number.NaN, weights, corrected, declined };
}

type Layer = (builder: ModelBuilder, x: Value) => Value;

const LAYERS: Readonly<Record<string, { dims: number[]; axis: number; opType: string; layer: Layer; slot: string }>> = {
  'a convolution with a bias': {
    ...{ dims: [1, 4, 6, 6], axis: 1, opType: 'Conv', slot: 'constant_1' },
    layer: (builder, x) => {
      const weight = builder.floats(coarse(1152, 1), [32, 4, 3, 3]);
      return builder.add('Conv', [x, weight, builder.floats(randomFloats(32, 2))]);
    },
  },
  'a convolution without one, which is given one': {
    ...{ dims: [1, 4, 6, 6], axis: 1, opType: 'Conv', slot: 'y#2' },
    layer: (builder, x) => builder.add('Conv', [x, builder.floats(coarse(1152, 1), [32, 4, 3, 3])], { outputs: ['y'] }),
  },
  'a product with an Add behind it': {
    ...{ dims: [3, 5, 32], axis: 2, opType: 'MatMul', slot: 'constant_2' },
    layer: (builder, x) => {
      const product = builder.add('MatMul', [x, builder.floats(coarse(512, 3), [32, 16])]);
      return builder.add('Add', [builder.floats(randomFloats(16, 4)), product]);
    },
  },
  'a Gemm that halves its bias': {
    ...{ dims: [5, 32], axis: 1, opType: 'Gemm', slot: 'constant_1' },
    layer: (builder, x) => {
      const inputs = [x, builder.floats(coarse(512, 5), [32, 16]), builder.floats(randomFloats(16, 6))];
      return builder.add('Gemm', inputs, { attributes: { beta: attribute.float(0.5), alpha: attribute.float(2) } });
    },
  },
};

describe('takes the mean error off', () => {
  it.each(Object.entries(LAYERS))('%s', async (_, { dims, axis, opType, layer, slot }) => {
    const builder = new ModelBuilder(17);
    const model = builder.finish([layer(builder, builder.input('x', dims))]);
    const { before, after, corrected, declined } = await shifts(model, planOf(model, [opType]), dims, axis);
    expect(declined).toEqual([]);
    expect(corrected.map(({ tensor }) => tensor)).toEqual([slot]);
    expect(corrected[0]?.correction).toBeGreaterThan(0);
    // Means that samples do not agree on are not taken off whole.
    expect(after).toBeLessThan(before / 20);
  });
});

it('says why a product is left alone that nothing is added to', async () => {
  const builder = new ModelBuilder(17);
  const product = builder.add('MatMul', [builder.input('x', [4, 32]), builder.floats(coarse(512, 3), [32, 16])]);
  const model = builder.finish([builder.add('Relu', [product])]);
  const { corrected, declined } = await correctBiases(model, planOf(model, ['MatMul']), dataSet([]));
  expect(corrected).toEqual([]);
  expect(declined[0]?.reason).toContain('no constant is added right behind it');
});

it('changes a bias that two layers share for each on its own', async () => {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', [1, 4, 6, 6]);
  const bias = builder.floats(randomFloats(32, 2));
  const outputs = [1, 2].map((seed) =>
    builder.add('Conv', [x, builder.floats(coarse(1152, seed), [32, 4, 3, 3]), bias], { outputs: [`y${seed}`] }),
  );
  const model = builder.finish(outputs);
  const { corrected, after, before } = await shifts(model, planOf(model, ['Conv']), [1, 4, 6, 6], 1);
  expect(corrected.map(({ tensor }) => tensor)).toEqual(['y1#2', 'y2#2']);
  expect(after).toBeLessThan(before / 20);
});

it('leaves means alone that are chance: what one run shifts up and the next down', async () => {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', [1, 32]);
  const y = builder.add('Gemm', [x, builder.floats(coarse(512, 3), [32, 16]), builder.floats(randomFloats(16))]);
  const model = builder.finish([y]);
  const up = randomFloats(32, 9);
  const feeds = [up, up.map((value) => -value)].map((data) => [
    { x: { dataType: 'float32' as const, dims: [1, 32], data } },
  ]);
  const { corrected } = await correctBiases(model, planOf(model, ['Gemm']), dataSet(feeds));
  expect(corrected).toEqual([]);
});
