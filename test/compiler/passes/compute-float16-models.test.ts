/** Half precision on whole models: made up and real. */
import fc from 'fast-check';
import type { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../lib/compiler/passes/presets.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { inferTypes } from '../../../lib/compiler/runtime/infer-types.js';
import { type Outputs, signalToNoise } from '../../support/before-and-after.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';
import { convertToHalf } from '../../support/convert-to-half.js';
import { randomGraphs } from '../../support/random-graph.js';
import { randomTensor } from '../../support/random-numbers.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../support/real-models.js';
import { transformer } from '../../support/transformer.js';

describe('random graphs in half precision', () => {
  it('are valid, take and give what they did, and say nearly the same', async () => {
    let [near, compared] = [0, 0];
    await fc.assert(
      fc.asyncProperty(randomGraphs({ opsets: [11, 13, 17, 18, 21] }), async (recipe) => {
        const { model, feeds } = recipe.build();
        const { before, after } = await convertToHalf(model, toOrtFeeds(feeds));
        for (const [name, { type, data }] of Object.entries(before)) {
          const numbers = data as Float32Array;
          if (type !== 'float32' || !numbers.every((number) => Math.abs(number) < 1e4) || numbers.length === 0)
            continue;
          compared++;
          const pair = [before, after].map((outputs) => ({ [name]: outputs[name] as RuntimeTensor }));
          // Bit for bit is infinitely near; zeros are near zeros only.
          const snr = numbers.every((number) => number === 0)
            ? 100
            : signalToNoise(pair[0] as Outputs, pair[1] as Outputs);
          if (snr > 30 || Number.isNaN(snr)) near++;
        }
      }),
      { seed: 1, numRuns: 80 },
    );
    // The others are where a rounded number falls on the other side of a comparison, of a floor, or is divided by nearly nothing.
    expect(near / compared).toBeGreaterThan(0.9);
  });
});

describe('real models in half precision', () => {
  const expected: Readonly<Partial<Record<RealModelName, number>>> = {
    blazefaceBack: 60,
    ocrDetector: 32,
    ocrAngleClassifier: 48,
    sileroV5: 55,
  };

  it.each(Object.entries(expected) as [RealModelName, number][])(
    '%s keeps %d dB in half the bytes',
    async (name, snr) => {
      const model = await readOnnx(realModels[name]);
      await runPasses(model, normalize());
      await inferTypes(model);
      const size = modelToBytes(model).byteLength;
      const { before, after } = await convertToHalf(model, realModelFeeds(name));
      expect(signalToNoise(before, after)).toBeGreaterThan(snr);
      expect(modelToBytes(model).byteLength / size).toBeLessThan(0.6);
    },
  );

  it('a transformer keeps 60 dB, its variances in single precision', async () => {
    const model = transformer({ layers: 2, width: 64, heads: 4 });
    await runPasses(model, normalize());
    await inferTypes(model);
    const { before, after } = await convertToHalf(model, { x: randomTensor([2, 9, 64], 3) });
    expect(signalToNoise(before, after)).toBeGreaterThan(60);
  });
});
