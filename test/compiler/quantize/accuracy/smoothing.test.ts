import { describe, expect, it } from 'vitest';
import type { DynamicRecipe } from '../../../../lib/artifact/recipe.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import type { Value } from '../../../../lib/compiler/ir/value.js';
import { smooth } from '../../../../lib/compiler/quantize/accuracy/smoothing.js';
import { withWeights } from '../../../../lib/compiler/quantize/accuracy/weight-slots.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { largestRelativeDifference } from '../../../support/compare-outputs.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { QuantizedModel, toFeeds } from '../../../support/quantized-gain.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';
import { PRODUCTS_SATURATE } from '../../../support/saturating-cpu.js';

const DYNAMIC: DynamicRecipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false };
const WIDTH = 48;
const DIMS = [1, 20, WIDTH];

/** Every eighth channel is 60 times larger than the others, as in language models. */
const outliers = (seed: number) => randomFloats(WIDTH, seed).map((value, index) => value * (index % 8 === 3 ? 60 : 1));

type Writer = (builder: ModelBuilder, x: Value) => Value;

const WRITERS: Readonly<Record<string, Writer>> = {
  'a layer normalization': (builder, x) =>
    builder.add('LayerNormalization', [x, builder.floats(outliers(1)), builder.floats(outliers(2))]),
  'a layer normalization without a bias': (builder, x) =>
    builder.add('LayerNormalization', [x, builder.floats(outliers(1))]),
  'a normalization that was not fused': (builder, x) => {
    const scaled = builder.add('Mul', [builder.add('Tanh', [x]), builder.floats(outliers(1))]);
    return builder.add('Add', [builder.floats(outliers(2)), scaled]);
  },
  'a product and what is added to it': (builder, x) => {
    const channels = outliers(1);
    const weights = randomFloats(WIDTH * WIDTH, 7).map((value, index) => (value / 4) * (channels[index % WIDTH] ?? 0));
    const product = builder.add('MatMul', [x, builder.floats(weights, [WIDTH, WIDTH])]);
    return builder.add('LeakyRelu', [builder.add('Add', [product, builder.floats(outliers(2))])]);
  },
};

/** Two products that read what the writer returns. */
function modelOf(writer: Writer, outputsToo = false): Model {
  const builder = new ModelBuilder(17);
  const y = writer(builder, builder.input('x', DIMS));
  const products = [1, 2].map((seed) =>
    builder.add('MatMul', [y, builder.floats(randomFloats(WIDTH * 32, seed + 20), [WIDTH, 32])]),
  );
  return builder.finish(outputsToo ? [...products, y] : products);
}

const feeds = (seed: number) => ({ x: randomTensor(DIMS, seed, -2, 2) });

describe('outliers that come from', () => {
  it.each(Object.entries(WRITERS))(
    '%s go into the weights: the same answers, and far less noise',
    async (_, writer) => {
      const model = modelOf(writer);
      const calibration = [1, 2, 3, 4].map((seed) => toFeeds(feeds(seed)));
      const quantized = new QuantizedModel(model, DYNAMIC, calibration, [toFeeds(feeds(9))]);
      const { weights, smoothed } = await smooth(model, quantized.calibration);
      expect(smoothed).toHaveLength(1);
      expect(smoothed[0]?.gain).toBeGreaterThan(3);
      const exact = await runModel(modelToBytes(withWeights(model, weights)), feeds(5));
      expect(largestRelativeDifference(exact, await runModel(modelToBytes(model), feeds(5)))).toBeLessThan(1e-5);
      const [usual, gained] = [
        await quantized.signalToNoise(await quantized.plan()),
        await quantized.signalToNoise(await quantized.plan(weights)),
      ];
      // Saturation is noise that no smoothing takes away.
      expect(gained - usual).toBeGreaterThan(PRODUCTS_SATURATE ? 0 : 3);
    },
  );
});

describe('leaves alone', () => {
  const normalization = WRITERS['a layer normalization'] as Writer;
  const data = new QuantizedModel(modelOf(normalization), DYNAMIC, [toFeeds(feeds(1))], []).calibration;

  it('what is also an output, or added to something else', async () => {
    const output = await smooth(modelOf(normalization, true), data);
    const added = await smooth(
      modelOf((builder, x) => {
        const y = normalization(builder, x);
        return builder.add('Add', [y, builder.add('Relu', [y])]);
      }),
      data,
    );
    for (const { smoothed, weights, declined } of [output, added]) {
      expect(smoothed).toEqual([]);
      expect(weights.size).toBe(0);
      expect(declined.length).toBeGreaterThan(0);
    }
  });

  it('what has no outliers', async () => {
    const even: Writer = (builder, x) =>
      builder.add('LayerNormalization', [x, builder.floats(new Float32Array(WIDTH).fill(1))]);
    expect((await smooth(modelOf(even), data)).smoothed).toEqual([]);
  });

  it('layers whose weights have one scale, which would suffer', async () => {
    const model = modelOf(WRITERS['a product and what is added to it'] as Writer);
    expect((await smooth(model, data, { perChannel: false })).smoothed).toEqual([]);
  });
});

it('reads convolutions too: outliers of a depthwise layer go into the layer behind it', async () => {
  const builder = new ModelBuilder(17);
  const scale = randomFloats(16 * 9, 3).map((value, index) => value * (Math.floor(index / 9) % 5 === 2 ? 80 : 1));
  const group = { group: attribute.int(16) };
  const depthwise = builder.add('Conv', [builder.input('x', [1, 16, 8, 8]), builder.floats(scale, [16, 1, 3, 3])], {
    attributes: group,
  });
  const pointwise = builder.floats(randomFloats(16 * 8, 4), [8, 16, 1, 1]);
  const model = builder.finish([builder.add('Conv', [builder.add('Relu', [depthwise]), pointwise])]);
  await inferTypes(model);
  const calibration = [1, 2, 3].map((seed) => toFeeds({ x: randomTensor([1, 16, 8, 8], seed) }));
  const recipe = {
    scheme: 'int8-static',
    activations: 'uint8',
    weights: 'int8',
    perChannel: true,
    reduceRange: false,
  } as const;
  const quantized = new QuantizedModel(model, recipe, calibration, calibration);
  const { weights, smoothed } = await smooth(model, quantized.calibration);
  expect(smoothed).toHaveLength(1);
  const [usual, gained] = [
    await quantized.signalToNoise(await quantized.plan()),
    await quantized.signalToNoise(await quantized.plan(weights)),
  ];
  expect(gained).toBeGreaterThan(usual + 1);
});
