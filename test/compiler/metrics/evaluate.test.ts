import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sample } from '../../../lib/compiler/data/data-set.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { evaluate, evaluateOriginal } from '../../../lib/compiler/metrics/evaluate.js';
import { metricFor } from '../../../lib/compiler/metrics/metric-for.js';
import { RecordedSet } from '../../../lib/compiler/metrics/recorded-set.js';
import { halvesOf } from '../../../lib/compiler/metrics/subset.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../lib/compiler/passes/presets.js';
import { storeFloat16 } from '../../../lib/compiler/passes/store-float16.js';
import { readModel } from '../../../lib/compiler/readers/read-model.js';
import type { RuntimeTensor } from '../../../lib/compiler/runtime/session.js';
import { memoryDataSet } from '../../support/memory-data-set.js';
import { randomFloats } from '../../support/random-numbers.js';
import { realModels } from '../../support/real-models.js';
import { openModel } from '../../support/run-model.js';

const STEPS = 5;
const floats = (dims: readonly number[], seed: number): RuntimeTensor => ({
  dataType: 'float32',
  dims,
  data: randomFloats(
    dims.reduce((product, size) => product * size, 1),
    seed,
  ),
});

const samples = [1, 2, 3, 4].map(
  (seed): Sample => ({
    id: `sound${seed}`,
    group: seed < 3 ? 'quiet' : 'loud',
    steps: Array.from({ length: STEPS }, (_, step) => ({
      input: floats([1, 576], seed * 100 + step),
      ...(step === 0 ? { state: floats([2, 1, 128], seed) } : {}),
    })),
  }),
);
const sounds = memoryDataSet(samples, { carried: { state: 'stateN' } });

const SIGNATURE = {
  inputs: [],
  outputs: [
    { name: 'output', dataType: 'float32' as const, shape: [null, 1] },
    { name: 'stateN', dataType: 'float32' as const, shape: [null, null, null] },
  ],
};
const snr = metricFor('snr', { type: 'tensor' }, SIGNATURE);
const agreement = metricFor('agreement', { type: 'tensor' }, SIGNATURE);

async function voiceModel(): Promise<Model> {
  const model = await readModel(realModels.sileroV5);
  await runPasses(model, normalize({ inputs: { sr: { value: 16_000 } } }));
  return model;
}

let recorded: RecordedSet;
let half: Model;
beforeAll(async () => {
  recorded = await RecordedSet.record(await voiceModel(), sounds);
  half = await voiceModel();
  await runPasses(half, [storeFloat16()]);
});
afterAll(async () => await recorded[Symbol.asyncDispose]());

describe('a recorded set of sequences', () => {
  test('holds what the model answers step by step, its state carried along', async () => {
    const session = await openModel(realModels.sileroV5, { graphOptimizationLevel: 'basic' });
    const { Tensor } = await import('onnxruntime-node');
    const sr = new Tensor('int64', BigInt64Array.of(16_000n), []);
    for await (const { sample, reference } of recorded.read(['sound3'])) {
      let state = new Tensor('float32', sample.steps[0]?.state?.data as Float32Array, [2, 1, 128]);
      expect(reference).toHaveLength(STEPS);
      for (const [step, feeds] of sample.steps.entries()) {
        const input = new Tensor('float32', feeds.input?.data as Float32Array, [1, 576]);
        const outputs = await session.run({ input, state, sr });
        state = outputs.stateN as typeof state;
        const [expected = Number.NaN] = (outputs.output as typeof state).data as Float32Array;
        expect(Object.keys(reference[step] ?? {})).toEqual(['output']);
        expect(Number(reference[step]?.output?.data[0])).toBeCloseTo(expected, 5);
      }
    }
  });

  test('computes anew what its folder has no room for', async () => {
    await using small = await RecordedSet.record(await voiceModel(), sounds, { maximumBytes: 20_000 });
    const read = async (set: RecordedSet) => {
      const found = [];
      for await (const { sample, reference } of set.read()) found.push([sample.id, reference]);
      return found;
    };
    expect(await read(small)).toEqual(await read(recorded));
  });

  test('leaves nothing behind, also when recording fails', async () => {
    const left = () =>
      readdirSync(tmpdir()).filter(
        (name) => name.startsWith('cdk-onnx-samples-') || name.startsWith('cdk-onnx-model-'),
      );
    const before = left();
    const broken = memoryDataSet([{ id: 'x', steps: [{ input: floats([1, 576], 1) }] }], {
      carried: { state: 'stateN' },
    });
    await expect(RecordedSet.record(await voiceModel(), broken)).rejects.toMatchObject({ code: 'RUNTIME_RUN' });
    // Other tests may make folders of their own meanwhile; none of ours is left.
    expect(left().filter((name) => !before.includes(name)).length).toBeLessThanOrEqual(1);
  });
});

describe('an evaluation', () => {
  test('of the original finds no loss', async () => {
    const { observations, groups, ids } = await evaluateOriginal(recorded, [snr, agreement]);
    expect(snr.aggregate(observations.get('snr') ?? [])).toBe(150);
    expect(agreement.aggregate(observations.get('agreement') ?? [])).toBe(1);
    expect(ids).toEqual(['sound1', 'sound2', 'sound3', 'sound4']);
    expect(groups).toEqual(['quiet', 'quiet', 'loud', 'loud']);
  });

  test('of float16 weights finds about 50 dB, alike in one process and in two', async () => {
    const one = await evaluate(half, recorded, { metrics: [snr, agreement] });
    const two = await evaluate(half, recorded, { metrics: [snr, agreement], sessions: 2 });
    expect(two.observations).toEqual(one.observations);
    expect(two.ids).toEqual(one.ids);
    const found = snr.aggregate(one.observations.get('snr') ?? []);
    expect(found).toBeGreaterThan(40);
    expect(found).toBeLessThan(90);
    expect(one.milliseconds.every((time) => time > 0)).toBe(true);
  });

  test('runs the samples that it is asked for', async () => {
    const { ids } = await evaluate(half, recorded, { metrics: [snr], ids: ['sound4', 'sound2'] });
    expect(ids).toEqual(['sound4', 'sound2']);
  });

  test('ends when the signal fires', async () => {
    const controller = new AbortController();
    const running = evaluate(half, recorded, {
      metrics: [snr],
      signal: controller.signal,
      onProgress: (done) => {
        if (done === 2) controller.abort(new Error('enough'));
      },
    });
    await expect(running).rejects.toThrow('enough');
  });
});

describe('parts of a data set', () => {
  test('halves share no sample, and are the same for a seed', () => {
    const [one, other] = halvesOf(sounds, 5);
    expect([...one.ids, ...other.ids].sort()).toEqual([...sounds.ids].sort());
    expect(one.ids.some((id) => other.ids.includes(id))).toBe(false);
    expect(halvesOf(sounds, 5)[0].ids).toEqual(one.ids);
    expect(one.digest).not.toBe(other.digest);
  });

  test('a half keeps the order of the whole', () => {
    for (const { ids } of [1, 2, 3].flatMap((seed) => halvesOf(sounds, seed))) {
      expect(ids).toEqual(sounds.ids.filter((id) => ids.includes(id)));
    }
  });
});
