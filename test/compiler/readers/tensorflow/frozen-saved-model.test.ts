import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterAll, describe, expect, test } from 'vitest';
import { SavedModelSchema } from '../../../../lib/compiler/formats/tensorflow/protocol/tensorflow_pb.js';
import {
  type FrozenSavedModel,
  readFrozenSavedModel,
} from '../../../../lib/compiler/readers/tensorflow/frozen-saved-model.js';
import { refusalOf } from '../../../support/refusal.js';
import { savedModelFixture } from '../../../support/saved-model-fixture.js';

const temporary = mkdtempSync(join(tmpdir(), 'frozen-'));
afterAll(() => rmSync(temporary, { recursive: true }));

const constantOf = ({ graph }: FrozenSavedModel, name: string) => {
  const value = graph.nodes.find((node) => node.name === name)?.attributes.get('value');
  return value?.kind === 'tensor' ? value.value : undefined;
};
const ops = ({ graph }: FrozenSavedModel) => new Set(graph.nodes.map(({ op }) => op));

test('a tf.Module: its signature’s names, no calls, variables under their names', async () => {
  const frozen = await readFrozenSavedModel(savedModelFixture('module'));
  expect(frozen.signature).toBe('serving_default');
  expect(frozen.inputs).toEqual([
    { name: 'ids', node: 'serving_default_ids', dataType: 'int32', shape: [-1] },
    { name: 'x', node: 'serving_default_x', dataType: 'float', shape: [-1, 5] },
  ]);
  expect(frozen.outputs.map(({ name }) => name)).toEqual([
    'chosen',
    'dense',
    'halves',
    'picked',
    'rows',
    'twice',
    'twin',
  ]);
  expect(
    frozen.outputs.every(({ tensor }) => frozen.graph.nodes.some(({ name }) => name === tensor.split(':')[0])),
  ).toBe(true);
  expect([...ops(frozen)].filter((op) => /Call|Variable|Resource|Handle|Identity/.test(op))).toEqual([]);
  expect(constantOf(frozen, 'kernel')?.dims).toEqual([5, 4]);
  expect(constantOf(frozen, 'steps')).toBeUndefined();
  // Two variables of one name.
  const biases = ['bias', 'bias_1'].map((name) => constantOf(frozen, name)?.bytes);
  expect(biases[0]?.length).toBe(16);
  expect(biases[0]).not.toEqual(biases[1]);
});

test('another signature by its name, the only one without', async () => {
  const other = await readFrozenSavedModel(savedModelFixture('module'), { signature: 'other' });
  expect(other.outputs).toEqual([{ name: 'sum', tensor: expect.any(String) }]);
  const error = await refusalOf(() => readFrozenSavedModel(savedModelFixture('module'), { signature: 'third' }));
  expect(error.code).toBe('SIGNATURE_UNKNOWN');
  expect(error.message).toContain('other(x) → sum; serving_default(ids, x) → chosen');
});

test('TF1: references, resource variables, a partitioned one in its parts; a tensor in the middle as input', async () => {
  const frozen = await readFrozenSavedModel(savedModelFixture('tf1'));
  expect(constantOf(frozen, 'layer/kernel')?.dims).toEqual([6, 5]);
  expect(constantOf(frozen, 'layer/bias')?.dims).toEqual([5]);
  expect([0, 1, 2].map((part) => constantOf(frozen, `layer/parts/part_${part}`)?.dims)).toEqual([
    [3, 5],
    [3, 5],
    [2, 5],
  ]);
  const middle = await readFrozenSavedModel(savedModelFixture('tf1'), { signature: 'middle' });
  expect(middle.graph.nodes.find(({ name }) => name === 'scaled')?.op).toBe('Placeholder');
  expect(middle.graph.nodes.some(({ name }) => name === 'x')).toBe(false);
});

test('saved_model.pb stands for the folder around it', async () => {
  const frozen = await readFrozenSavedModel(join(savedModelFixture('shards'), 'saved_model.pb'));
  expect([...ops(frozen)].sort()).toEqual(['AddV2', 'Const', 'MatMul', 'Placeholder']);
});

test('Keras’s models are known as such, of either version', async () => {
  const known = await Promise.all(
    ['keras2', 'keras3', 'module'].map((name) => readFrozenSavedModel(savedModelFixture(name))),
  );
  expect(known.map(({ isKeras }) => isKeras)).toEqual([true, true, false]);
});

test('a variable that a run changes and nothing reads is no state', async () => {
  const frozen = await readFrozenSavedModel(savedModelFixture('stateful'), { signature: 'harmless' });
  expect(ops(frozen)).toContain('Mul');
  expect([...ops(frozen)].some((op) => op.startsWith('Assign'))).toBe(false);
});

describe('refused', () => {
  const refusal = async (path: string, options = {}) => refusalOf(() => readFrozenSavedModel(path, options));

  test('several signatures without a default, listed; none at all, with the functions there are', async () => {
    const ambiguous = await refusal(savedModelFixture('ambiguous'));
    expect(ambiguous.code).toBe('SIGNATURE_AMBIGUOUS');
    expect(ambiguous.message).toContain('first(x) → y; second(a, b) → product, sum');
    const unsigned = await refusal(savedModelFixture('unsigned'));
    expect(unsigned.code).toBe('SIGNATURE_MISSING');
    expect(unsigned.message).toContain('first, second');
  });

  test('tags that no graph has', async () => {
    const error = await refusal(savedModelFixture('module'), { tags: ['serve', 'gpu'] });
    expect(error.code).toBe('SAVED_MODEL_TAGS');
    expect(error.message).toContain('[serve]');
  });

  test('state that is read and changed', async () => {
    const error = await refusal(savedModelFixture('stateful'));
    expect(error.code).toBe('MODEL_STATEFUL');
    expect(error.message).toContain('AssignAddVariableOp');
  });

  test('no folder, a file without its variables, one that is cut', async () => {
    expect((await refusal(join(temporary, 'nowhere'))).code).toBe('MODEL_NOT_FOUND');
    const alone = join(temporary, 'alone');
    cpSync(savedModelFixture('module'), alone, { recursive: true });
    rmSync(join(alone, 'variables'), { recursive: true });
    const error = await refusal(alone);
    expect(error.code).toBe('VARIABLES_MISSING');
    expect(error.message).toContain(join(alone, 'variables/variables.index'));
  });

  test('variables of another model', async () => {
    const mixed = join(temporary, 'mixed');
    cpSync(savedModelFixture('module'), mixed, { recursive: true });
    rmSync(join(mixed, 'variables'), { recursive: true });
    cpSync(join(savedModelFixture('shards'), 'variables'), join(mixed, 'variables'), { recursive: true });
    expect((await refusal(mixed)).code).toBe('VARIABLE_MISSING');
  });
});

test('without a node that restores, variables are found by their names', async () => {
  const nameless = join(temporary, 'nameless');
  cpSync(savedModelFixture('shards'), nameless, { recursive: true });
  const file = join(nameless, 'saved_model.pb');
  const model = fromBinary(SavedModelSchema, readFileSync(file));
  const [graph] = model.metaGraphs;
  expect(graph?.saverDef?.restoreOpName).not.toBe('');
  delete graph?.saverDef;
  writeFileSync(file, toBinary(SavedModelSchema, model));
  const [found, expected] = await Promise.all(
    [nameless, savedModelFixture('shards')].map((path) => readFrozenSavedModel(path)),
  );
  for (const name of ['a', 'b']) {
    expect(found && constantOf(found, name)?.bytes).toEqual(expected && constantOf(expected, name)?.bytes);
  }
});

test('nothing is read of a variable until its elements are asked for', async () => {
  const lazy = join(temporary, 'lazy');
  cpSync(savedModelFixture('shards'), lazy, { recursive: true });
  const frozen = await readFrozenSavedModel(lazy);
  const values = ['a', 'b'].map((name) => constantOf(frozen, name));
  expect(values.map((value) => value?.dims)).toEqual([[3, 4], [4]]);
  expect(readFileSync(join(lazy, 'saved_model.pb')).length).toBeGreaterThan(0);
  rmSync(join(lazy, 'variables'), { recursive: true });
  expect((await refusalOf(() => values[0]?.bytes)).code).toBe('EXTERNAL_DATA_MISSING');
});
