import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { validateStructure } from '../../../lib/compiler/ir/validation.js';
import { openModel, readModel } from '../../../lib/compiler/readers/read-model.js';
import { readSavedModel } from '../../../lib/compiler/readers/tensorflow/read-saved-model.js';
import { readConversionFixture, strayingOutputs } from '../../support/conversion-fixture.js';
import { realModels } from '../../support/real-models.js';
import { refusalOf } from '../../support/refusal.js';
import { savedModelFixture, savedModelRecording } from '../../support/saved-model-fixture.js';

describe('computes what TensorFlow does', () => {
  test.each([
    ['a tf.Module whose functions call functions', 'module', undefined],
    ['another signature of it', 'module', 'other'],
    ['a session’s graph of TF1', 'tf1', undefined],
    ['a signature that starts in the middle of it', 'tf1', 'middle'],
    ['variables in several data files', 'shards', undefined],
    ['what Keras 3 exports', 'keras3', undefined],
    ['what Keras 2 saves', 'keras2', undefined],
    ['conditions and loops, static and not', 'control-flow', undefined],
    ['loops over lists of tensors', 'lists', undefined],
    ['recurrent layers of Keras 3', 'recurrent3', undefined],
    ['recurrent layers of Keras 2', 'recurrent2', undefined],
    ['masked steps, and cells that are almost those of Keras', 'cells', undefined],
  ])('%s', async (_what, name, signature) => {
    const model = await readSavedModel(savedModelFixture(name), { signature });
    validateStructure(model);
    const recorded = await readConversionFixture(
      savedModelRecording(signature === undefined ? name : `${name}.${signature}`),
    );
    expect(Object.keys(recorded.outputs).length).toBeGreaterThan(0);
    expect(await strayingOutputs(model, recorded)).toEqual([]);
  });
});

test.each(['control-flow.no-step', 'control-flow.many-steps', 'lists.one-step', 'recurrent3.one-step'])(
  'other sizes and numbers of steps than the first: %s',
  async (sample) => {
    const model = await readSavedModel(savedModelFixture(sample.split('.')[0] ?? ''));
    expect(await strayingOutputs(model, await readConversionFixture(savedModelRecording(sample)))).toEqual([]);
  },
);

test.each(['recurrent2', 'recurrent3'])('a loop that is a recurrent layer is one operator: %s', async (name) => {
  const { graph } = await readSavedModel(savedModelFixture(name));
  const ops = graph.nodes.map(({ opType }) => opType);
  expect(ops.filter((op) => ['LSTM', 'GRU', 'Loop', 'ConstantOfShape'].includes(op)).sort()).toEqual([
    'GRU',
    'GRU',
    'LSTM',
  ]);
});

test('a folder and the file in it are read as what they are', async () => {
  for (const path of [savedModelFixture('module'), join(savedModelFixture('module'), 'saved_model.pb')]) {
    await using opened = await openModel(path);
    expect(opened.reader.name).toBe('TensorFlow SavedModel');
    expect((await readModel(path)).graph.outputs.map(({ name }) => name)).toContain('dense');
  }
});

test('a zip file of the folder is read as the folder', async () => {
  const opened = await openModel(`${savedModelRecording('module')}.zip`);
  const recorded = await readConversionFixture(savedModelRecording('module'));
  expect(opened.reader.name).toBe('TensorFlow SavedModel');
  expect(await strayingOutputs(opened.model, recorded)).toEqual([]);
  await opened[Symbol.asyncDispose]();
});

test('the signature that is asked for is read, out of archives too; formats without any refuse one', async () => {
  const recorded = await readConversionFixture(savedModelRecording('module.other'));
  for (const path of [savedModelFixture('module'), `${savedModelRecording('module')}.zip`]) {
    await using opened = await openModel(path, { signature: 'other' });
    expect(await strayingOutputs(opened.model, recorded)).toEqual([]);
  }
  const error = await refusalOf(() => openModel(realModels.ocrAngleClassifier, { signature: 'other' }));
  expect([error.code, error.message]).toEqual(['SIGNATURE_UNKNOWN', expect.stringMatching(/is ONNX, which has none/)]);
});

test('inputs, outputs, weights and nodes have the names of the model', async () => {
  const { graph } = await readSavedModel(savedModelFixture('keras2'));
  const shapes = graph.inputs.map(({ name, type }) => [name, type?.kind === 'tensor' && type.shape]);
  expect(shapes).toEqual([
    ['extra', ['N', 4]],
    ['picture', ['N', 9, 8, 3]],
  ]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(['join', 'scores']);
  const names = graph.nodes.map(({ name }) => name);
  expect(names).toContain('model/conv/Conv2D/Conv');
});

test('the batch is one where there is one input, and where Keras says so; else sizes are those of their input', async () => {
  const batches = async (name: string) => {
    const { graph } = await readSavedModel(savedModelFixture(name));
    return graph.inputs.map(({ type }) => type?.kind === 'tensor' && type.shape?.[0]);
  };
  expect(await batches('shards')).toEqual(['N']);
  expect(await batches('keras3')).toEqual(['N', 'N']);
  expect(await batches('module')).toEqual(['ids_dim0', 'x_dim0']);
});

test('texts are refused, each op by name and count', async () => {
  const error = await refusalOf(() => readSavedModel(savedModelFixture('texts')));
  expect(error.code).toBe('OPERATOR_UNSUPPORTED');
  for (const op of ['HashTableV2', 'StringLower', 'LookupTableFindV2']) expect(error.message).toContain(`${op}, 1 ×`);
  expect(error.advice).toContain('texts');
});
