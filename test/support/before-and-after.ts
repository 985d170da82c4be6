/** Runs a model before and after passes, and compares what comes out. */
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { type Pass, type PassesResult, runPasses } from '../../lib/compiler/passes/pass.js';
import { expectEqualOutputs } from './compare-outputs.js';
import { type RunOptions, runModel } from './run-model.js';

export type Feeds = Readonly<Record<string, RuntimeTensor>>;
export type Outputs = Readonly<Record<string, RuntimeTensor>>;

export interface BeforeAndAfter {
  readonly before: Outputs;
  readonly after: Outputs;
  readonly bytesBefore: Uint8Array;
  readonly bytesAfter: Uint8Array;
  readonly result: PassesResult;
}

/** Outputs are those of a run node by node unless `options` says otherwise; the model is left as the passes made it. */
export async function beforeAndAfter(
  model: Model,
  passes: readonly Pass[],
  feeds: Feeds,
  options: RunOptions = {},
): Promise<BeforeAndAfter> {
  const bytesBefore = modelToBytes(model);
  const before = tensorsOf(await runModel(bytesBefore, feeds, options));
  const result = await runPasses(model, passes);
  const bytesAfter = modelToBytes(model);
  const after = tensorsOf(await runModel(bytesAfter, feeds, options));
  return { before, after, bytesBefore, bytesAfter, result };
}

/** As `beforeAndAfter`, and expects the passes to have changed the model, and no output in the least. */
export async function expectSameBits(model: Model, passes: readonly Pass[], feeds: Feeds): Promise<BeforeAndAfter> {
  const runs = await beforeAndAfter(model, passes, feeds);
  expect(runs.result.declined).toEqual([]);
  expect(runs.result.modified).toEqual(passes.map(({ name }) => name));
  expectEqualOutputs(runs.after, runs.before);
  return runs;
}

function tensorsOf(outputs: Awaited<ReturnType<typeof runModel>>): Outputs {
  return Object.fromEntries(Object.entries(outputs).filter(([, value]) => value instanceof RuntimeTensor)) as Outputs;
}

/** 10 · log10(Σ a² / Σ (a - b)²) in decibels, of the worst output. */
export function signalToNoise(before: Outputs, after: Outputs): number {
  return Math.min(
    ...Object.entries(before).map(([name, a]) => {
      const [signal, other] = [a.data as Float32Array, after[name]?.data as Float32Array];
      let [power, noise] = [0, 0];
      for (const [index, value] of signal.entries()) {
        power += value ** 2;
        noise += (value - (other[index] ?? Number.NaN)) ** 2;
      }
      return 10 * Math.log10(power / noise);
    }),
  );
}
