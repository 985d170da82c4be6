/** A small dense network with batches and a task, built as users build theirs: for Lambda, and in half precision for a GPU. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MANIFEST_FILE, type Manifest } from '../../../lib/artifact/manifest.js';
import { MODEL_INTERFACE_FILE, modelInterface } from '../../../lib/artifact/model-interface.js';
import { buildGpuArtifact } from '../../../lib/compiler/build/gpu-artifact.js';
import { buildArtifact } from '../../../lib/compiler/build.js';
import { writeModel } from '../../../lib/compiler/ir/serialization/write.js';
import { ModelBuilder } from '../model-builder.js';
import { HOST_ARCHITECTURE } from '../predict-function.js';
import { randomFloats } from '../random-numbers.js';

export interface BuiltModel {
  /** The artifact's folder. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** Path of its ONNX file. */
  readonly model: string;
}

export interface DenseModel {
  readonly lambda: BuiltModel;
  readonly gpu: BuiltModel;
  remove(): void;
}

export const DENSE_NAME = 'dense';
/** Of input `x` and output `y`, both float32 with a batch in front. */
export const DENSE_INPUTS = 16;
const DENSE_OUTPUTS = 4;
const HIDDEN = 32;
/** Of the sounds that it is asked about. */
export const SAMPLE_RATE = 16_000;

export async function buildDenseModel(): Promise<DenseModel> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-dense-'));
  const modelDirectory = join(folder, DENSE_NAME);
  mkdirSync(modelDirectory);
  await writeModel(denseNetwork(), join(modelDirectory, 'source.onnx'));
  const configuration = {
    ...{ name: DENSE_NAME, version: 3, source: 'source.onnx', gpu: { precision: 'fp16' } },
    task: {
      type: 'voice-activity',
      audio: { input: 'x', sampleRate: SAMPLE_RATE, window: DENSE_INPUTS },
      ...{ output: 'y', threshold: 0, minSpeech: 0 },
    },
  };
  writeFileSync(join(modelDirectory, 'model.json'), JSON.stringify(configuration));
  const [lambda, gpu] = [join(folder, 'lambda'), join(folder, 'gpu')];
  await buildArtifact({ modelDirectory, outputDirectory: lambda, architecture: HOST_ARCHITECTURE, gpu: false });
  await buildGpuArtifact({ modelDirectory, outputDirectory: gpu });
  // A router finds it in a layer of its own.
  writeFileSync(join(lambda, MODEL_INTERFACE_FILE), JSON.stringify(modelInterface(read(lambda).manifest)));
  return { lambda: read(lambda), gpu: read(gpu), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function read(folder: string): BuiltModel {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, MANIFEST_FILE), 'utf8'));
  return { folder, manifest, model: join(folder, manifest.model) };
}

function denseNetwork() {
  const builder = new ModelBuilder(17);
  const weights = (rows: number, columns: number, seed: number) =>
    builder.floats(randomFloats(rows * columns, seed, -0.5, 0.5), [rows, columns]);
  const x = builder.input('x', ['N', DENSE_INPUTS]);
  const hidden = builder.add('MatMul', [x, weights(DENSE_INPUTS, HIDDEN, 1)]);
  const active = builder.add('Relu', [builder.add('Add', [hidden, builder.floats(randomFloats(HIDDEN, 2))])]);
  const scores = builder.add('MatMul', [active, weights(HIDDEN, DENSE_OUTPUTS, 3)]);
  return builder.finish([builder.add('Softmax', [scores], { outputs: ['y'] })]);
}
