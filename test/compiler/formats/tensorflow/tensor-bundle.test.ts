import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, describe, expect, test } from 'vitest';
import { ExternalDataFolder } from '../../../../lib/compiler/formats/onnx/external-data.js';
import {
  BundleEntryProtoSchema,
  BundleHeaderProtoSchema,
} from '../../../../lib/compiler/formats/tensorflow/protocol/tensorflow_pb.js';
import { TensorBundle } from '../../../../lib/compiler/formats/tensorflow/tensor-bundle.js';
import { refusalOf } from '../../../support/refusal.js';
import { savedModelFixture } from '../../../support/saved-model-fixture.js';
import { sortedTable, type TableOptions } from '../../../support/sorted-table-writer.js';

const folder = mkdtempSync(join(tmpdir(), 'tensor-bundle-'));
afterAll(() => rmSync(folder, { recursive: true }));

const prefix = 'variables/variables';

/** A copy to damage. */
function copyOf(fixture: string, name: string): string {
  const copy = join(folder, name);
  cpSync(savedModelFixture(fixture), copy, { recursive: true });
  return copy;
}

test('TensorFlow’s own: names, types, shapes and elements', async () => {
  const bundle = await TensorBundle.open(savedModelFixture('module'), prefix);
  expect(bundle.keys).toContain('kernel/.ATTRIBUTES/VARIABLE_VALUE');
  const { dataType, dims, bytes } = bundle.tensor('steps/.ATTRIBUTES/VARIABLE_VALUE');
  expect([dataType, dims, [...bytes]]).toEqual(['int32', [], [3, 0, 0, 0]]);
  const halves = bundle.tensor('halves/.ATTRIBUTES/VARIABLE_VALUE');
  expect([halves.dataType, halves.dims, halves.bytes.length]).toEqual(['half', [4], 8]);
});

test('a partitioned variable: a part as it lies there, the whole, and a part of the whole', async () => {
  const bundle = await TensorBundle.open(savedModelFixture('tf1'), prefix);
  const whole = bundle.tensor('layer/parts');
  expect(whole.dims).toEqual([8, 5]);
  const rows = (start: number, length: number) => ({
    dims: [8, 5],
    extents: [
      { start, length },
      { start: 0, length: -1 },
    ],
  });
  const stored = bundle.part('layer/parts', rows(3, 3));
  expect(stored.dims).toEqual([3, 5]);
  expect(stored.bytes).toEqual(whole.bytes.slice(3 * 20, 6 * 20));
  expect(new Set(new Float32Array(whole.bytes.buffer)).size).toBe(40);
  const across = bundle.part('layer/parts', rows(2, 3));
  expect(across.bytes).toEqual(whole.bytes.slice(2 * 20, 5 * 20));
  expect((await refusalOf(() => bundle.part('layer/parts', { ...rows(2, 3), dims: [9, 5] }))).code).toBe('BUNDLE_PART');
  expect((await refusalOf(() => bundle.part('layer/parts', rows(7, 3)))).code).toBe('BUNDLE_PART');
});

describe('refused', () => {
  test('a checksum that lies, when the elements are read', async () => {
    const copy = copyOf('module', 'flipped');
    const data = join(copy, `${prefix}.data-00000-of-00001`);
    const bytes = readFileSync(data);
    bytes[8] = (bytes[8] ?? 0) ^ 1;
    writeFileSync(data, bytes);
    const bundle = await TensorBundle.open(copy, prefix);
    const codes = new Set<string>();
    for (const key of bundle.keys.filter((each) => each !== '_CHECKPOINTABLE_OBJECT_GRAPH')) {
      const tensor = bundle.tensor(key);
      codes.add(
        await refusalOf(() => tensor.bytes).then(
          ({ code }) => code,
          () => 'read',
        ),
      );
    }
    expect(codes).toEqual(new Set(['BUNDLE_CHECKSUM', 'read']));
  });

  test('a data file that is cut, missing, or a link to another', async () => {
    const cut = copyOf('module', 'cut');
    truncateSync(join(cut, `${prefix}.data-00000-of-00001`), 40);
    const key = 'table/.ATTRIBUTES/VARIABLE_VALUE';
    const refusal = async (copy: string) => {
      const bundle = await TensorBundle.open(copy, prefix);
      return refusalOf(() => bundle.tensor(key).bytes);
    };
    expect((await refusal(cut)).code).toBe('EXTERNAL_DATA_RANGE');
    const missing = copyOf('module', 'missing');
    rmSync(join(missing, `${prefix}.data-00000-of-00001`));
    const error = await refusal(missing);
    expect(error.code).toBe('EXTERNAL_DATA_MISSING');
    expect(error.message).toContain(key);
    symlinkSync('/etc/hostname', join(missing, `${prefix}.data-00000-of-00001`));
    expect((await refusal(missing)).code).toBe('EXTERNAL_DATA_SYMLINK');
  });

  test('an index without its file', async () => {
    expect((await refusalOf(() => TensorBundle.open(folder, 'nowhere/variables'))).code).toBe('MODEL_NOT_FOUND');
  });

  const header = (numShards: number, endianness = 0) =>
    toBinary(BundleHeaderProtoSchema, create(BundleHeaderProtoSchema, { numShards, endianness }));
  type Entry = NonNullable<Parameters<typeof create<typeof BundleEntryProtoSchema>>[1]>;
  const entry = (fields: Entry) =>
    toBinary(
      BundleEntryProtoSchema,
      create(BundleEntryProtoSchema, { dtype: 1, shape: { dim: [{ size: 2n }] }, size: 8n, ...(fields as object) }),
    );
  const bundleOf = (entries: Readonly<Record<string, Uint8Array>>, where = prefix, options: TableOptions = {}) =>
    TensorBundle.of(
      sortedTable(Object.entries(entries), options),
      new ExternalDataFolder(savedModelFixture('module')),
      where,
    );
  const code = async (act: () => unknown) => (await refusalOf(act)).code;

  test('headers of other files and machines', async () => {
    expect(await code(() => bundleOf({ a: entry({}) }))).toBe('BUNDLE_HEADER');
    expect(await code(() => bundleOf({ '': header(0) }))).toBe('BUNDLE_HEADER');
    expect(await code(() => bundleOf({ '': header(-1) }))).toBe('BUNDLE_HEADER');
    expect(await code(() => bundleOf({ '': header(1, 1) }))).toBe('BUNDLE_HEADER');
    expect(await code(() => bundleOf({ '': Uint8Array.of(255) }))).toBe('PROTOBUF_TRUNCATED');
  });

  test.each<[string, Entry, string]>([
    ['a data file that is not there by its number', { shardId: 1 }, 'BUNDLE_ENTRY'],
    ['a negative one', { shardId: -1 }, 'BUNDLE_ENTRY'],
    ['a size that is not the shape’s', { size: 7n }, 'BUNDLE_ENTRY'],
    ['a negative size', { size: -8n }, 'BUNDLE_ENTRY'],
    ['a negative offset', { offset: -1n }, 'BUNDLE_ENTRY'],
    ['an offset past the end', { offset: 2n ** 40n }, 'EXTERNAL_DATA_RANGE'],
    ['a shape that is none', { shape: { dim: [{ size: -2n }] } }, 'TENSOR_SHAPE'],
    ['a shape beyond every file', { shape: { dim: [{ size: 2n ** 40n }, { size: 2n ** 40n }] } }, 'TENSOR_SHAPE'],
    ['texts', { dtype: 7 }, 'BUNDLE_TEXTS'],
    ['a type of the future', { dtype: 99 }, 'BUNDLE_TEXTS'],
    ['a part that is not there', { slices: [{ extent: [{ start: 0n, length: 1n }] }] }, 'VARIABLE_MISSING'],
  ])('%s', async (_what, fields, expected) => {
    expect(await code(() => bundleOf({ '': header(1), a: entry(fields) }).tensor('a').bytes)).toBe(expected);
  });

  test('a prefix that leaves the folder', async () => {
    const bundle = bundleOf({ '': header(1), a: entry({}) }, '../module/variables/variables');
    expect(await code(() => bundle.tensor('a'))).toBe('EXTERNAL_DATA_TRAVERSAL');
  });

  test('a variable that is not there, naming some that are; blocks may be compressed', async () => {
    const bundle = bundleOf({ '': header(1), a: entry({}), b: entry({}) }, prefix, { compression: 'snappy' });
    const error = await refusalOf(() => bundle.tensor('c'));
    expect(error.code).toBe('VARIABLE_MISSING');
    expect(error.message).toContain("'a', 'b'");
  });
});
