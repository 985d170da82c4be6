import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Hdf5Dataset } from '../../../../lib/compiler/formats/hdf5/dataset.js';
import { Hdf5Group, openHdf5 } from '../../../../lib/compiler/formats/hdf5/hdf5-file.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { CdkOnnxError } from '../../../../lib/errors.js';
import { refusalOf } from '../../../support/refusal.js';

const bytesOf = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dirname, '../../../fixtures/hdf5', name)));
const kinds = bytesOf('kinds.h5');

function dataset(root: Hdf5Group, path: string): Hdf5Dataset {
  const found = root.dataset(path);
  if (found === undefined) throw new Error(`no dataset ${path}`);
  return found;
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('an HDF5 file of h5py', () => {
  const root = openHdf5(kinds);

  test('has groups by name, however many', () => {
    expect(root.names).toEqual(['alias', 'group', 'many', 'other', 'packed']);
    expect(root.group('many')?.names).toEqual(upTo(300).map((index) => `group_${String(index).padStart(3, '0')}`));
    expect(root.group('group/inner')?.names).toContain('f4');
    expect(root.group('group/inner/f4')).toBeUndefined();
    expect(root.group('nowhere/else')).toBeUndefined();
    expect(root.dataset('group/inner')).toBeUndefined();
  });

  test('has attributes: texts of both kinds, lists of them, numbers', () => {
    expect(root.attribute('text')).toBe('variable é');
    expect(root.attribute('fixed')).toBe('fixed');
    expect(root.attribute('texts')).toEqual(['one', 'two', 'drei']);
    expect(root.attribute('fixed_texts')).toEqual(['alpha', 'be']);
    expect(root.attribute('long')).toBe('x'.repeat(5000));
    expect(root.attribute('number')).toBe(7);
    expect(root.attribute('numbers')).toEqual([1, 2, 3]);
    expect(root.attribute('none')).toEqual([]);
    expect(root.attribute('absent')).toBeUndefined();
  });

  test.each([
    ['f2', 'float16'],
    ['f4', 'float32'],
    ['f8', 'float64'],
    ['i1', 'int8'],
    ['u1', 'uint8'],
    ['i2', 'int16'],
    ['u2', 'uint16'],
    ['i4', 'int32'],
    ['u4', 'uint32'],
    ['i8', 'int64'],
    ['u8', 'uint64'],
  ] as const)('has elements of the type %s', (name, elementType) => {
    const found = dataset(root, `group/inner/${name}`);
    expect(found.dims).toEqual([2, 3]);
    const tensor = new Tensor(elementType, found.dims, { kind: 'bytes', bytes: found.read() });
    expect(tensor.numbers()).toEqual(upTo(6));
    expect(found.datatype.kind).toBe(name.startsWith('f') ? 'float' : 'integer');
    if (found.datatype.kind === 'integer') expect(found.datatype.signed).toBe(name.startsWith('i'));
  });

  test('has truth values, scalars, nothing, and one thing under two names', () => {
    expect([...dataset(root, 'group/inner/bool').read()]).toEqual([1, 0, 1]);
    const scalar = dataset(root, 'group/inner/scalar');
    expect(scalar.dims).toEqual([]);
    expect(new DataView(scalar.read().slice().buffer).getFloat32(0, true)).toBe(3.5);
    expect(dataset(root, 'group/inner/empty').read().byteLength).toBe(0);
    expect(dataset(root, 'alias').read()).toEqual(dataset(root, 'group/inner/f4').read());
  });

  test('has weights in one piece as views on the file', () => {
    expect(dataset(root, 'group/inner/f4').read().buffer).toBe(kinds.buffer);
  });

  test.each([
    ['chunks', 'float32', 35],
    ['deflate', 'float32', 35],
    ['shuffle', 'float64', 35],
    ['checksum', 'uint8', 9],
    ['all', 'int32', 60],
  ] as const)('has elements in chunks: %s', (name, elementType, count) => {
    const found = dataset(root, `packed/${name}`);
    const tensor = new Tensor(elementType, found.dims, { kind: 'bytes', bytes: found.read() });
    expect(tensor.numbers()).toEqual(upTo(count));
  });

  test('of the latest version is read where it is simple', async () => {
    const latest = openHdf5(bytesOf('latest.h5'));
    expect(latest.attribute('text')).toBe('of the latest version');
    expect([...new Float32Array(dataset(latest, 'group/data').read().slice().buffer)]).toEqual(upTo(6));
    const links = await refusalOf(() => latest.group('many')?.names);
    expect(links.code).toBe('HDF5_UNSUPPORTED');
    expect(links.message).toContain('index of their links');
    expect((await refusalOf(() => latest.dataset('chunks'))).message).toContain('latest version');
  });
});

describe('refused by name', () => {
  const root = openHdf5(kinds);

  test.each([
    ['other/lzf', "'lzf'"],
    ['other/big', 'big-endian'],
    ['other/pair', "'compound'"],
    ['other/outside', 'other files'],
  ])('%s', async (path, text) => {
    const error = await refusalOf(() => root.dataset(path));
    expect(error.code).toBe('HDF5_UNSUPPORTED');
    expect(error.message).toContain(text);
  });

  test('links that lead away are not there', () => {
    expect(root.group('other')?.names).not.toContain('soft');
    expect(root.group('other')?.names).not.toContain('elsewhere');
  });

  test('attributes of types that nothing asks for, once somebody does', async () => {
    expect((await refusalOf(() => root.attribute('pair'))).code).toBe('HDF5_UNSUPPORTED');
  });

  test('a dataset that claims more than it can hold, lacks chunks, or was never written', async () => {
    expect((await refusalOf(() => dataset(root, 'packed/bomb').read())).code).toBe('HDF5_DAMAGED');
    expect((await refusalOf(() => dataset(root, 'packed/partial').read())).message).toContain('2 of its 4 chunks');
    expect((await refusalOf(() => dataset(root, 'other/unwritten').read())).message).toContain('never written');
  });

  test('a file that is cut, or begins with something else', async () => {
    const cut = await refusalOf(() => openHdf5(kinds.subarray(0, kinds.length - 100)));
    expect(cut.message).toContain('incomplete');
    expect((await refusalOf(() => openHdf5(bytesOf('userblock.h5')))).code).toBe('HDF5_DAMAGED');
  });
});

test('whatever a byte becomes, reading ends with values or a code', () => {
  const walk = (group: Hdf5Group, depth: number): void => {
    for (const name of ['text', 'texts', 'fixed_texts', 'numbers']) group.attribute(name);
    for (const name of group.names.slice(0, depth === 1 ? 3 : 14)) {
      const child = group.child(name);
      if (child instanceof Hdf5Dataset) child.read();
      // Damage may make a group its own child.
      else if (child instanceof Hdf5Group && depth < 5) walk(child, depth + 1);
    }
  };
  const place = fc.nat({ max: kinds.length - 1 });
  fc.assert(
    fc.property(fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 }), (changes) => {
      const bytes = kinds.slice();
      for (const [at, value] of changes) bytes[at] = value;
      try {
        walk(openHdf5(bytes), 0);
      } catch (error) {
        if (!(error instanceof CdkOnnxError)) throw error;
      }
    }),
    { numRuns: 100 },
  );
});
