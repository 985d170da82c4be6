import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import type { Value } from '../../../../lib/compiler/ir/value.js';
import { linearNodeOf } from '../../../../lib/compiler/passes/linear-node.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../../lib/compiler/passes/presets.js';
import { type EqualizationOptions, equalize } from '../../../../lib/compiler/quantize/accuracy/equalization.js';
import { tensorOf, withWeights } from '../../../../lib/compiler/quantize/accuracy/weight-slots.js';
import { readOnnx } from '../../../../lib/compiler/readers/onnx.js';
import { expectEqualOutputs, largestRelativeDifference } from '../../../support/compare-outputs.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { realModelFeeds } from '../../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../../support/real-models.js';
import { runModel } from '../../../support/run-model.js';

/** Outputs before and after, and what was done. */
async function equalized(model: Model, feeds: Parameters<typeof runModel>[1], options: EqualizationOptions = {}) {
  const result = equalize(model, options);
  const before = await runModel(modelToBytes(model), feeds);
  const after = await runModel(modelToBytes(withWeights(model, result.weights)), feeds);
  return { ...result, before, after };
}

/** Real models with pairs of layers that nothing but a homogeneous operator separates, and how many there are at least. */
const PAIRS: Partial<Record<RealModelName, number>> = { blazefaceBack: 30, ocrAngleClassifier: 12, ocrDetector: 10 };

describe.each(Object.entries(PAIRS) as [RealModelName, number][])('%s', (name, pairs) => {
  it('answers the same within rounding, and with powers of two bit for bit', async () => {
    const model = await readOnnx(realModels[name]);
    await runPasses(model, [...normalize(), ...lossless()]);
    const feeds = realModelFeeds(name);
    const { before, after, equalized: values } = await equalized(model, feeds);
    expect(values.length).toBeGreaterThanOrEqual(pairs);
    expect(Math.max(...values.map(({ spread }) => spread))).toBeGreaterThan(10);
    expect(largestRelativeDifference(after, before)).toBeLessThan(2e-5);

    const exact = await equalized(model, feeds, { powersOfTwo: true });
    expect(exact.equalized.length).toBeGreaterThan(pairs / 2);
    expectEqualOutputs(exact.after, exact.before);
  });
});

it('evens out the ranges of the weights that write and read each channel, through a depthwise layer', () => {
  const builder = new ModelBuilder(17);
  const uneven = (dims: readonly number[], seed: number) => {
    const count = dims.reduce((a, b) => a * b, 1);
    const inner = count / (dims[0] ?? 1);
    const numbers = randomFloats(count, seed).map((value, index) => value * 4 ** (Math.floor(index / inner) % 5));
    return builder.floats(numbers, dims);
  };
  const conv = (x: Value, dims: readonly number[], group: number, seed: number) =>
    builder.add('Conv', [x, uneven(dims, seed), builder.floats(randomFloats(dims[0] ?? 0, seed + 9))], {
      attributes: { group: attribute.int(group) },
    });
  const first = builder.add('Relu', [conv(builder.input('x', [1, 3, 8, 8]), [10, 3, 3, 3], 1, 1)]);
  const depthwise = builder.add('LeakyRelu', [conv(first, [10, 1, 3, 3], 10, 2)]);
  const model = builder.finish([conv(depthwise, [4, 10, 1, 1], 1, 3)]);
  const { weights, equalized: values } = equalize(model);
  expect(values).toHaveLength(2);
  const [one, two, three] = model.graph.nodes.filter((node) => node.is('Conv')).map((node) => rangesOf(node, weights));
  for (let channel = 0; channel < 10; channel++) {
    expect((one?.written[channel] ?? 0) / (two?.read[channel] ?? 0)).toBeCloseTo(1, 1);
    expect((two?.written[channel] ?? 0) / (three?.read[channel] ?? 0)).toBeCloseTo(1, 1);
  }
});

function rangesOf(node: Model['graph']['nodes'][number], weights: ReadonlyMap<string, Tensor>) {
  const linear = linearNodeOf(node);
  if (typeof linear === 'string') throw new Error(linear);
  const numbers = (tensorOf(node, 1, weights)?.typed() as Float32Array | undefined) ?? new Float32Array();
  const ranges = (channelOf: (index: number) => number) => {
    const largest: number[] = [];
    for (const [index, value] of numbers.entries()) {
      largest[channelOf(index)] = Math.max(largest[channelOf(index)] ?? 0, Math.abs(value));
    }
    return largest;
  };
  return { written: ranges((at) => linear.outputChannelOf(at)), read: ranges((at) => linear.inputChannelOf(at)) };
}

/** Two layers with something in between. */
function twoLayers(between: (builder: ModelBuilder, x: Value) => Value, extra?: (y: Value) => Value[]): Model {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', [1, 2, 6, 6]);
  const weights = randomFloats(36, 1).map((value, index) => value * (index < 18 ? 100 : 1));
  const middle = builder.add('Conv', [x, builder.floats(weights.subarray(0, 8), [4, 2, 1, 1])]);
  const y = builder.add('Conv', [between(builder, middle), builder.floats(randomFloats(12, 2), [3, 4, 1, 1])]);
  return builder.finish([y, ...(extra?.(middle) ?? [])]);
}

describe('leaves alone', () => {
  it.each<[string, Model, string]>([
    [
      'what a Clip bounds, which channels do not share',
      twoLayers((builder, x) => builder.add('Clip', [x, builder.scalar(0), builder.scalar(6)])),
      'Clip',
    ],
    ['what a Sigmoid bends', twoLayers((builder, x) => builder.add('Sigmoid', [x])), 'Sigmoid'],
    [
      'an output of the graph',
      twoLayers(
        (builder, x) => builder.add('Relu', [x]),
        (y) => [y],
      ),
      'is an output',
    ],
    [
      'what is added to something else',
      twoLayers((builder, x) => builder.add('Add', [x, builder.add('Relu', [x])])),
      'does not let a factor',
    ],
    [
      'what is added to constants that are not one for each channel',
      twoLayers((builder, x) => builder.add('Add', [x, builder.floats(randomFloats(36), [6, 6])])),
      'does not let a factor',
    ],
  ])('%s', (_, model, reason) => {
    const result = equalize(model);
    expect(result.equalized).toEqual([]);
    expect([...result.weights]).toEqual([]);
    expect(result.declined.map((entry) => entry.reason).join('; ')).toContain(reason);
  });
});

it('changes weights and biases that other nodes read too for its own nodes only', async () => {
  const builder = new ModelBuilder(17);
  const weight = builder.floats(
    randomFloats(16, 1).map((value, index) => value * 10 ** (index % 4)),
    [4, 4, 1, 1],
  );
  const bias = builder.floats(randomFloats(4, 2));
  const x = builder.input('x', [1, 4, 5, 5]);
  const chain = builder.add('Conv', [builder.add('Relu', [builder.add('Conv', [x, weight, bias])]), weight, bias]);
  const other = builder.add('Conv', [x, weight, bias]);
  const model = builder.finish([chain, other]);
  const run = await equalized(model, { x: randomTensor([1, 4, 5, 5], 3) }, { powersOfTwo: true });
  expect(run.equalized).toHaveLength(1);
  expect([...run.weights.keys()].every((name) => name.includes('#'))).toBe(true);
  expectEqualOutputs(run.after, run.before);
});

const CHANNELS = 6;

/** A layer that keeps the number of channels, or something in between. */
const BETWEEN: readonly ((builder: ModelBuilder, x: Value, seed: number) => Value)[] = [
  (builder, x) => builder.add('Relu', [x]),
  (builder, x) => builder.add('LeakyRelu', [x]),
  (builder, x) => builder.add('MaxPool', [x], { attributes: { kernel_shape: attribute.ints([2, 2]) } }),
  (builder, x) => builder.add('AveragePool', [x], { attributes: { kernel_shape: attribute.ints([2, 1]) } }),
  (builder, x, seed) => builder.add('PRelu', [x, builder.floats(randomFloats(CHANNELS, seed), [CHANNELS, 1, 1])]),
  (builder, x, seed) => builder.add('Add', [builder.floats(randomFloats(CHANNELS, seed), [CHANNELS, 1, 1]), x]),
  (builder, x) => builder.add('Clip', [x, builder.scalar(-0.5), builder.scalar(0.5)]),
  (builder, x) => builder.add('Add', [x, builder.add('Relu', [x])]),
  (builder, x) => builder.add('Mul', [x, builder.scalar(0.3)]),
];

function randomLayers(choices: readonly number[], seed: number): Model {
  const builder = new ModelBuilder(17);
  const uneven = (dims: readonly number[], at: number) => {
    const count = dims.reduce((a, b) => a * b, 1);
    return builder.floats(
      randomFloats(count, at).map((value, index) => value * 3 ** ((index * 7) % 6)),
      dims,
    );
  };
  const shared = uneven([CHANNELS, CHANNELS, 1, 1], seed);
  const branches: Value[] = [];
  let x = builder.input('x', [1, CHANNELS, 12, 12]);
  for (const [position, choice] of choices.entries()) {
    const at = seed + 20 * position;
    const bias = choice % 2 === 0 ? builder.floats(randomFloats(CHANNELS, at + 1)) : undefined;
    const groups = [1, CHANNELS, 2, 1, 1][choice % 5] ?? 1;
    const weight = choice % 5 === 4 ? shared : uneven([CHANNELS, CHANNELS / groups, 1, 1], at + 2);
    const opType = choice % 7 === 3 && weight !== shared ? 'ConvTranspose' : 'Conv';
    x = builder.add(opType, [x, weight, bias], { attributes: { group: attribute.int(groups) } });
    if (choice % 11 === 0) branches.push(builder.add('Relu', [x]));
    const between = BETWEEN[Math.floor(choice / 10) % (BETWEEN.length + 2)];
    if (between !== undefined) x = between(builder, x, at + 3);
  }
  return builder.finish([x, ...branches]);
}

it('random chains of layers answer bit for bit the same with powers of two, and within rounding without', async () => {
  let changed = 0;
  const layers = fc.array(fc.nat({ max: 500 }), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(layers, fc.nat({ max: 10_000 }), async (choices, seed) => {
      const model = randomLayers(choices, seed);
      const feeds = { x: randomTensor([1, CHANNELS, 12, 12], seed + 1) };
      const exact = await equalized(model, feeds, { powersOfTwo: true });
      expectEqualOutputs(exact.after, exact.before);
      const run = await equalized(model, feeds);
      expect(largestRelativeDifference(run.after, run.before)).toBeLessThan(1e-4);
      if (exact.equalized.length > 0) changed++;
    }),
    { seed: 3, numRuns: 150 },
  );
  expect(changed).toBeGreaterThan(60);
});
