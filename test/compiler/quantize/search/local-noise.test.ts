import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { Recipe } from '../../../../lib/artifact/recipe.js';
import { copyModel } from '../../../../lib/compiler/ir/copy.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { validate } from '../../../../lib/compiler/ir/validation.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { EMPTY_PLAN } from '../../../../lib/compiler/quantize/plan.js';
import { instrument, NoiseSums } from '../../../../lib/compiler/quantize/search/local-noise.js';
import { bytesWith, bytesWithout } from '../../../../lib/compiler/quantize/search/option-bytes.js';
import { unitsOf } from '../../../../lib/compiler/quantize/search/units.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomFloats } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';

const SIZE = 24;
const matrix = (seed: number) => Tensor.fromTyped('float32', [SIZE, SIZE], randomFloats(SIZE * SIZE, seed));

/** Two products one after the other, and two that share a weight. */
function smallModel(): Model {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', [4, SIZE]);
  const first = builder.add('MatMul', [x, builder.constant(matrix(1), 'w1')], { outputs: ['first'] });
  const second = builder.add(
    'MatMul',
    [builder.add('Relu', [first], { outputs: ['hidden'] }), builder.constant(matrix(2), 'w2')],
    {
      outputs: ['second'],
    },
  );
  const shared = builder.constant(matrix(3), 'w3');
  const third = builder.add('MatMul', [second, shared], { outputs: ['third'] });
  const fourth = builder.add('MatMul', [third, shared], { outputs: ['fourth'] });
  return builder.finish([fourth]);
}

const feeds = { x: new RuntimeTensor('float32', randomFloats(4 * SIZE, 9), [4, SIZE]) };
const WEIGHTS: Recipe = { scheme: 'int8-weight-only', perChannel: true };

const energies = (y: ArrayLike<number>, x: ArrayLike<number>) => {
  let [signal, noise] = [0, 0];
  for (let index = 0; index < y.length; index++) {
    signal += (y[index] ?? 0) ** 2;
    noise += ((x[index] ?? 0) - (y[index] ?? 0)) ** 2;
  }
  return noise / signal;
};

describe('units', () => {
  test('are nodes, with the clamps behind them; those that share a weight are one, which counts once', async () => {
    const model = smallModel();
    const units = unitsOf(model);
    expect(units[0]?.clamps.map((clamp) => clamp?.opType)).toEqual(['Relu']);
    expect(units.map(({ nodes }) => nodes.map(({ opType }) => opType))).toEqual([
      ['MatMul'],
      ['MatMul'],
      ['MatMul', 'MatMul'],
    ]);
    expect(units.map(({ weightBytes }) => weightBytes)).toEqual([SIZE * SIZE * 4, SIZE * SIZE * 4, SIZE * SIZE * 4]);
  });

  test('take a quarter of the bytes as int8, shared weights once', () => {
    const model = smallModel();
    const [first, , shared] = unitsOf(model);
    if (first === undefined || shared === undefined) throw new Error('three units');
    for (const unit of [first, shared]) {
      const ratio = (bytesWith(model, unit, WEIGHTS, EMPTY_PLAN) ?? 0) / bytesWithout(model, unit);
      expect(ratio).toBeGreaterThan(0.25);
      expect(ratio).toBeLessThan(0.45);
    }
    expect(bytesWith(model, first, { scheme: 'int8-embedding' }, EMPTY_PLAN)).toBeUndefined();
  });
});

describe('local noise', () => {
  test('is that of each node alone, behind its clamp, on its float32 inputs', async () => {
    const model = smallModel();
    await inferTypes(model);
    const units = unitsOf(model).filter(({ weightBytes }) => weightBytes > 0);
    const instrumented = instrument(model, units, WEIGHTS, { base: EMPTY_PLAN, kept: [] });
    validate(instrumented.model);
    expect(instrumented.declined.size).toBe(0);
    const outputs = await runModel(modelToBytes(instrumented.model), feeds);
    const sums = new NoiseSums();
    sums.add(
      instrumented,
      Object.fromEntries(
        Object.entries(outputs).map(([name, value]) => {
          const { dims, data } = value as RuntimeTensor;
          return [name, { dataType: 'float32' as const, dims, data: data as Float32Array }];
        }),
      ),
    );
    const found = sums.ratios();

    // The same by hand: only the first node quantized, whose input is float32 anyway.
    const [first] = units;
    if (first === undefined) throw new Error('three units');
    const changed = copyModel(model);
    applyPlan(changed, { ...EMPTY_PLAN, recipes: first.keys.map((node) => ({ node, recipe: WEIGHTS })) });
    for (const each of [model, changed]) {
      const output = each.graph.nodes.flatMap((node) => node.outputs).find((value) => value?.name === 'hidden');
      if (output !== undefined) each.graph.setOutputs([output]);
    }
    const exact = (await runModel(modelToBytes(model), feeds)).hidden as RuntimeTensor;
    const noisy = (await runModel(modelToBytes(changed), feeds)).hidden as RuntimeTensor;
    const expected = energies(exact.data as Float32Array, noisy.data as Float32Array);
    expect(expected).toBeGreaterThan(1e-6);
    expect((found.get(first.index) ?? 0) / expected).toBeCloseTo(1, 3);
    // Later nodes have noise of the same size: none inherits that of those before it.
    for (const ratio of found.values()) expect(ratio / expected).toBeLessThan(4);
  });

  test('leaves the model as it was', async () => {
    const model = smallModel();
    const before = modelToBytes(model);
    instrument(
      model,
      unitsOf(model).filter(({ weightBytes }) => weightBytes > 0),
      WEIGHTS,
      { base: EMPTY_PLAN, kept: [] },
    );
    expect(Buffer.compare(before, modelToBytes(model))).toBe(0);
  });
});
