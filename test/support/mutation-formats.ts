/** The formats whose readers are shown damaged files, with small files of each and what reads them. */
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { ModelBuilder } from './model-builder.js';
import { type MutationOptions, ONNX_SUBJECT, SOURCE_SUBJECT, TFLITE_SUBJECT } from './mutation.js';
import { realModels } from './real-models.js';
import { savedModelFixture } from './saved-model-fixture.js';
import { paxRecord, tarOf } from './tar-writer.js';

export type MutatedFormat = Required<Pick<MutationOptions, 'seeds' | 'subject'>>;

const fixtures = join(import.meta.dirname, '../fixtures/conversion');
const subject = (name: string) => join(import.meta.dirname, 'mutation-subjects', name);
const keras = (...names: string[]) => names.map((name) => join(fixtures, 'keras', name));
const graphs = (...names: string[]) => names.map((name) => join(fixtures, 'graphdef', name));
const savedModels = (folders: readonly string[], files: readonly string[]) =>
  folders.map(savedModelFixture).flatMap((folder) => files.map((file) => join(folder, file)));

/** By name; a function, for some unpack their files first. */
export const MUTATED_FORMATS = {
  ONNX: () => ({
    seeds: [realModels.blazefaceFront, realModels.ocrAngleClassifier, realModels.sileroLegacy],
    subject: ONNX_SUBJECT,
  }),
  'Keras archives': () => ({
    seeds: keras('sequential.keras', 'topology.keras', 'core.keras', 'merge.keras', 'operators.keras'),
    subject: subject('keras.ts'),
  }),
  'HDF5 files of Keras': () => ({ seeds: keras('sequential.h5', 'chunked.h5'), subject: subject('keras.ts') }),
  'layers of TensorFlow.js': () => ({ seeds: keras('tfjs/model.json'), subject: subject('keras.ts') }),
  'TensorFlow.js graphs': () => ({
    seeds: graphs('sharded/model.json', 'arithmetic.json', 'control.json', 'functions.json', 'detection.json'),
    subject: subject('tensorflow-graph.ts'),
  }),
  'frozen graphs': () => ({ seeds: graphs('frozen.pb'), subject: subject('tensorflow-graph.ts') }),
  'saved_model.pb': () => ({
    seeds: savedModels(['small', 'tf1', 'shards'], ['saved_model.pb']),
    subject: subject('saved-model.ts'),
  }),
  /** Two parts of index to one of data. */
  checkpoints: () => ({
    seeds: savedModels(
      ['small', 'tf1'],
      ['variables/variables.index', 'variables/variables.index', 'variables/variables.data-00000-of-00001'],
    ),
    subject: subject('saved-model.ts'),
  }),
  'TensorFlow Lite files': () => ({
    seeds: readdirSync(join(fixtures, 'tflite'))
      .filter((name) => name.endsWith('.tflite'))
      .map((name) => join(fixtures, 'tflite', name)),
    subject: TFLITE_SUBJECT,
  }),
} satisfies Readonly<Record<string, () => MutatedFormat>>;

/** Archives of a small model, each in a folder of its own: what lies beside a damaged archive is no part of it. */
export function mutatedArchives(folder: string): MutatedFormat {
  const builder = new ModelBuilder(18);
  const x = builder.input('x', ['N', 8]);
  const weights = Float32Array.from({ length: 64 }, (_, index) => index / 7);
  const y = builder.add('MatMul', [x, builder.floats(weights, [8, 8])]);
  const model = modelToBytes(builder.finish([builder.add('Relu', [y], { outputs: ['y'] })]));
  const tar = tarOf([
    { name: 'pax_global_header', type: 'g', content: paxRecord('comment', 'made for a test') },
    { name: 'model/', type: '5' },
    { name: 'x', type: 'x', content: paxRecord('path', 'model/model.onnx') },
    { name: 'model.onnx', content: model },
    { name: 'model/README.md', content: 'What it is.' },
  ]);
  const archives = {
    'model.zip': zipSync({ 'model/model.onnx': model, 'model/README.md': new TextEncoder().encode('What it is.') }),
    'model.tar': tar,
    'model.tar.gz': gzipSync(tar),
  };
  const seeds = Object.entries(archives).map(([name, bytes]) => {
    const path = join(mkdtempSync(join(folder, 'seed-')), name);
    writeFileSync(path, bytes);
    return path;
  });
  return { seeds, subject: SOURCE_SUBJECT };
}
