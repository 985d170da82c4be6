import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs';
import { afterAll, describe, expect, test } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { findProblems } from '../../../lib/compiler/ir/validation.js';
import { openModel, readModel } from '../../../lib/compiler/readers/read-model.js';
import { largestRelativeDifference, toOrt } from '../../support/compare-outputs.js';
import { refusalOf } from '../../support/refusal.js';
import { runModel } from '../../support/run-model.js';
import { tensorFlowJs } from '../../support/tfjs.js';
import { randomTensor, runLayersModel, upscalerPath } from '../../support/tfjs-models.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-tfjs-layers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** max|Δ| / max|y| between TensorFlow.js and what was made of its file, over all outputs. */
async function difference(path: string, feeds: Readonly<Record<string, Tensor>>): Promise<number> {
  const expected = await runLayersModel(path, feeds);
  const model = await readModel(path);
  expect(findProblems(model)).toEqual([]);
  const outputs = await runModel(
    modelToBytes(model),
    Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)])),
  );
  const actual = model.graph.outputs.map(({ name }) => outputs[name]);
  expect(actual.length).toBe(expected.length);
  expect(expected.every((tensor) => new Set(tensor.numbers()).size > 1)).toBe(true);
  return Math.max(
    ...expected.map((tensor, index) => largestRelativeDifference({ y: actual[index] as never }, { y: toOrt(tensor) })),
  );
}

type Quantizer = 'none' | 'uint8' | 'uint16';

/** Writes a model as tfjs's own handlers do, in shards of 1,000 bytes; float32 weights in fewer bits where that is asked for. */
async function save(model: LayersModel, name: string, quantizer: Quantizer = 'none'): Promise<string> {
  const path = join(folder, name);
  mkdirSync(path);
  await model.save({
    save: async ({ modelTopology, weightSpecs = [], weightData }) => {
      const bytes = new Uint8Array(weightData as ArrayBuffer);
      const parts: Uint8Array[] = [];
      let offset = 0;
      const weights = weightSpecs.map((spec) => {
        const count = spec.shape.reduce((product, size) => product * size, 1);
        const numbers = new Float32Array(bytes.slice(offset, offset + 4 * count).buffer);
        offset += 4 * count;
        if (quantizer === 'none') {
          parts.push(new Uint8Array(numbers.buffer));
          return spec;
        }
        const steps = quantizer === 'uint8' ? 255 : 65535;
        const [min, max] = [Math.min(...numbers), Math.max(...numbers)];
        const scale = (max - min) / steps || 1;
        const stored = numbers.map((number) => Math.round((number - min) / scale));
        parts.push(new Uint8Array((quantizer === 'uint8' ? Uint8Array.from(stored) : Uint16Array.from(stored)).buffer));
        return { ...spec, quantization: { dtype: quantizer, scale, min } };
      });
      const all = Buffer.concat(parts);
      const paths: string[] = [];
      for (let start = 0; start < all.length; start += 1000) {
        paths.push(`group1-shard${paths.length + 1}.bin`);
        writeFileSync(join(path, paths.at(-1) as string), all.subarray(start, start + 1000));
      }
      writeFileSync(
        join(path, 'model.json'),
        JSON.stringify({ format: 'layers-model', modelTopology, weightsManifest: [{ paths, weights }] }),
      );
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const } };
    },
  });
  return join(path, 'model.json');
}

async function smallNet(): Promise<LayersModel> {
  const { layers, input, model } = await tensorFlowJs();
  const picture = input({ shape: [8, 9, 3], name: 'picture' });
  const row = input({ shape: [5], name: 'row' });
  const varied = { kernelInitializer: 'glorotNormal', biasInitializer: 'randomNormal' } as const;
  let x = layers
    .conv2d({ filters: 6, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu', ...varied })
    .apply(picture);
  x = layers.batchNormalization({ betaInitializer: 'randomNormal', movingMeanInitializer: 'randomNormal' }).apply(x);
  x = layers.depthwiseConv2d({ kernelSize: 3, padding: 'valid', depthwiseInitializer: 'randomNormal' }).apply(x);
  const pooled = layers.globalAveragePooling2d({}).apply(x);
  const inner = layers.dense({ units: 6, activation: 'hardSigmoid', name: 'inner', ...varied }).apply(row);
  const sum = layers.add().apply([pooled, inner] as never);
  const scores = layers.dense({ units: 4, activation: 'softmax', name: 'scores', ...varied }).apply(sum);
  return model({ inputs: [picture, row], outputs: [scores, sum] as never });
}

describe('a model of TensorFlow.js', () => {
  test('the upscaler computes what tfjs does, for pictures of any size', async () => {
    expect((await openModel(upscalerPath)).reader.name).toBe('TensorFlow.js layers');
    expect(await difference(upscalerPath, { LR: randomTensor([1, 12, 10, 3], 1) })).toBeLessThan(1e-5);
    expect(await difference(upscalerPath, { LR: randomTensor([2, 7, 16, 3], 2) })).toBeLessThan(1e-5);
  });

  test.each<Quantizer>(['none', 'uint8', 'uint16'])('saved by tfjs itself, quantized: %s', async (quantizer) => {
    const path = await save(await smallNet(), `small-${quantizer}`, quantizer);
    const feeds = { picture: randomTensor([3, 8, 9, 3], 3), row: randomTensor([3, 5], 4) };
    expect(await difference(path, feeds)).toBeLessThan(1e-5);
  });

  test('nested, recurrent and sequential ones', async () => {
    const { layers, sequential } = await tensorFlowJs();
    const tower = sequential({
      layers: [
        layers.lstm({ units: 4, returnSequences: true, inputShape: [6, 3], biasInitializer: 'randomNormal' }),
        layers.bidirectional({ layer: layers.gru({ units: 3 }) as never, mergeMode: 'concat' }),
        layers.dense({ units: 5, biasInitializer: 'randomNormal' }),
      ],
    });
    const model = sequential({ layers: [tower, layers.dense({ units: 2, name: 'scores' })] });
    const path = await save(model, 'nested');
    const name = (await readModel(path)).graph.inputs[0]?.name ?? '';
    expect(await difference(path, { [name]: randomTensor([2, 6, 3], 5) })).toBeLessThan(1e-5);
  });

  test('is refused where its weights are those of another', async () => {
    const path = await save(await smallNet(), 'renamed');
    const { readFileSync } = await import('node:fs');
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('"inner/', '"other/'));
    const error = await refusalOf(() => readModel(path));
    expect(error.code).toBe('WEIGHT_MISSING');
    expect(error.message).toContain("'inner'");
  });
});
