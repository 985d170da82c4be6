import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test } from 'vitest';
import { ExternalDataFolder } from '../../../../lib/compiler/formats/onnx/external-data.js';
import { ModelFormatError } from '../../../../lib/errors.js';

const root = mkdtempSync(join(tmpdir(), 'external-data-'));
afterAll(() => rmSync(root, { recursive: true }));

const folder = join(root, 'model');
mkdirSync(join(folder, 'parts'), { recursive: true });
writeFileSync(join(root, 'secret'), 'not yours');
writeFileSync(
  join(folder, 'weights.bin'),
  Uint8Array.from({ length: 100 }, (_, index) => index),
);
writeFileSync(join(folder, 'parts', 'one.bin'), Uint8Array.from([9, 8, 7, 6]));
symlinkSync(join(root, 'secret'), join(folder, 'linked.bin'));
symlinkSync(root, join(folder, 'up'));
symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling.bin'));

const external = new ExternalDataFolder(folder);
const resolve = (entries: Readonly<Record<string, string>>, bytes = 4) =>
  external.resolve(
    Object.entries(entries).map(([key, value]) => ({ key, value })),
    bytes,
    "initializer 'w'",
  );

function refusal(act: () => unknown): ModelFormatError {
  try {
    act();
  } catch (error) {
    if (error instanceof ModelFormatError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('what is read', () => {
  test('a range of a file, in a folder below too, with or without a length', () => {
    expect(external.load(resolve({ location: 'weights.bin', offset: '10', length: '4' }))).toEqual(
      new Uint8Array([10, 11, 12, 13]),
    );
    expect(external.load(resolve({ location: 'parts/one.bin' }))).toEqual(new Uint8Array([9, 8, 7, 6]));
    expect(external.load(resolve({ location: './parts//one.bin' }))).toEqual(new Uint8Array([9, 8, 7, 6]));
  });

  test('up to the last byte and not one more', () => {
    expect(external.load(resolve({ location: 'weights.bin', offset: '96' }))).toHaveLength(4);
    expect(refusal(() => resolve({ location: 'weights.bin', offset: '97' })).code).toBe('EXTERNAL_DATA_RANGE');
  });

  test('a checksum and keys that nobody knows are tolerated', () => {
    const entries = { location: 'weights.bin', checksum: 'da39a3ee5e6b4b0d3255bfef95601890afd80709', colour: 'blue' };
    expect(external.load(resolve(entries))).toHaveLength(4);
  });

  test('a hard link is a file like any other: package managers store files so', () => {
    linkSync(join(folder, 'weights.bin'), join(folder, 'hard.bin'));
    expect(external.load(resolve({ location: 'hard.bin' }))).toEqual(new Uint8Array([0, 1, 2, 3]));
  });

  test('a model’s folder may itself be behind a symbolic link', () => {
    symlinkSync(folder, join(root, 'latest'));
    const linked = new ExternalDataFolder(join(root, 'latest'));
    const range = linked.resolve([{ key: 'location', value: 'weights.bin' }], 4, 'w');
    expect(linked.load(range)).toEqual(new Uint8Array([0, 1, 2, 3]));
  });
});

test.each([
  ['no location', {}, 'EXTERNAL_DATA_LOCATION'],
  ['an empty location', { location: '' }, 'EXTERNAL_DATA_LOCATION'],
  ['the folder itself', { location: './.' }, 'EXTERNAL_DATA_LOCATION'],
  ['a zero byte', { location: 'weights.bin\0.txt' }, 'EXTERNAL_DATA_LOCATION'],
  ['an absolute path', { location: '/etc/passwd' }, 'EXTERNAL_DATA_ABSOLUTE'],
  ['a Windows drive', { location: 'C:\\Windows\\win.ini' }, 'EXTERNAL_DATA_ABSOLUTE'],
  ['a Windows drive without a root', { location: 'c:weights.bin' }, 'EXTERNAL_DATA_ABSOLUTE'],
  ['a Windows share', { location: '\\\\server\\share\\w.bin' }, 'EXTERNAL_DATA_ABSOLUTE'],
  ['a path upwards', { location: '../secret' }, 'EXTERNAL_DATA_TRAVERSAL'],
  ['a path down and upwards', { location: 'parts/../../secret' }, 'EXTERNAL_DATA_TRAVERSAL'],
  ['a path upwards with Windows separators', { location: 'parts\\..\\..\\secret' }, 'EXTERNAL_DATA_TRAVERSAL'],
  ['an address in memory', { location: '*/_ORT_MEM_ADDR_/*', offset: '140000000000' }, 'EXTERNAL_DATA_ADDRESS'],
  ['a symbolic link', { location: 'linked.bin' }, 'EXTERNAL_DATA_SYMLINK'],
  ['a symbolic link that leads nowhere', { location: 'dangling.bin' }, 'EXTERNAL_DATA_SYMLINK'],
  ['a folder behind a symbolic link', { location: 'up/secret' }, 'EXTERNAL_DATA_SYMLINK'],
  ['a missing file', { location: 'missing.bin' }, 'EXTERNAL_DATA_MISSING'],
  ['a missing folder', { location: 'missing/w.bin' }, 'EXTERNAL_DATA_MISSING'],
  ['a name too long for any file', { location: 'a'.repeat(5000) }, 'EXTERNAL_DATA_MISSING'],
  ['a folder', { location: 'parts' }, 'EXTERNAL_DATA_NOT_A_FILE'],
  ['a file as a folder', { location: 'weights.bin/w' }, 'EXTERNAL_DATA_NOT_A_FILE'],
  ['a negative offset', { location: 'weights.bin', offset: '-4' }, 'EXTERNAL_DATA_NUMBER'],
  ['a hexadecimal offset', { location: 'weights.bin', offset: '0x10' }, 'EXTERNAL_DATA_NUMBER'],
  ['an offset with a space', { location: 'weights.bin', offset: ' 4' }, 'EXTERNAL_DATA_NUMBER'],
  ['a fraction', { location: 'weights.bin', length: '4.0' }, 'EXTERNAL_DATA_NUMBER'],
  ['an empty number', { location: 'weights.bin', length: '' }, 'EXTERNAL_DATA_NUMBER'],
  ['an offset beyond 2^53', { location: 'weights.bin', offset: '9007199254740993' }, 'EXTERNAL_DATA_NUMBER'],
  ['an offset beyond 2^64', { location: 'weights.bin', offset: '18446744073709551612' }, 'EXTERNAL_DATA_NUMBER'],
  ['an offset behind the end', { location: 'weights.bin', offset: '9007199254740991' }, 'EXTERNAL_DATA_RANGE'],
  ['a length that is not the tensor’s', { location: 'weights.bin', length: '8' }, 'EXTERNAL_DATA_LENGTH'],
])('%s is refused, and the message names the tensor', (_what, entries: Readonly<Record<string, string>>, code) => {
  const error = refusal(() => resolve(entries));
  expect(error.code).toBe(code);
  expect(error.message).toContain("initializer 'w'");
  expect(error.advice).not.toBe('');
});

test('a key that is there twice is refused: another reader might take the other one', () => {
  const twice = [
    { key: 'location', value: 'weights.bin' },
    { key: 'location', value: '../secret' },
  ];
  expect(refusal(() => external.resolve(twice, 4, 'w')).code).toBe('EXTERNAL_DATA_DUPLICATE_KEY');
});

describe('a file that changes between the look and the read', () => {
  const path = join(folder, 'changing.bin');
  const fresh = () => {
    rmSync(path, { force: true });
    writeFileSync(path, new Uint8Array(16));
    return new ExternalDataFolder(folder);
  };

  test('by a symbolic link in its place', () => {
    const reader = fresh();
    const range = reader.resolve([{ key: 'location', value: 'changing.bin' }], 16, 'w');
    renameSync(path, join(folder, 'moved.bin'));
    symlinkSync(join(root, 'secret'), path);
    expect(refusal(() => reader.load(range)).code).toBe('EXTERNAL_DATA_SYMLINK');
  });

  test('by becoming shorter', () => {
    const reader = fresh();
    const range = reader.resolve([{ key: 'location', value: 'changing.bin' }], 16, 'w');
    truncateSync(path, 8);
    expect(refusal(() => reader.load(range)).code).toBe('EXTERNAL_DATA_RANGE');
  });

  test('by going away', () => {
    const reader = fresh();
    const range = reader.resolve([{ key: 'location', value: 'changing.bin' }], 16, 'w');
    rmSync(path);
    expect(refusal(() => reader.load(range)).code).toBe('EXTERNAL_DATA_MISSING');
  });
});

test('somebody who swaps files and folders for links all the time never gets us to read through one', async () => {
  const racing = join(root, 'racing');
  mkdirSync(join(racing, 'good'), { recursive: true });
  mkdirSync(join(root, 'evil'));
  for (const place of [join(racing, 'good'), join(root, 'evil')]) {
    writeFileSync(join(place, 'w'), place.endsWith('good') ? 'good' : 'evil');
  }
  symlinkSync(join(root, 'evil'), join(racing, 'link'));
  const reader = new ExternalDataFolder(racing);
  const range = reader.resolve([{ key: 'location', value: 'good/w' }], 4, 'w');
  const swapper = new Worker(
    `const { renameSync } = require('node:fs');
     const [good, aside, link] = ['good', 'aside', 'link'].map((name) => ${JSON.stringify(racing)} + '/' + name);
     for (;;) {
       renameSync(good, aside); renameSync(link, good);
       renameSync(good, link); renameSync(aside, good);
     }`,
    { eval: true },
  );
  const seen = new Map<string, number>();
  try {
    for (const end = performance.now() + 1500; performance.now() < end; ) {
      let outcome: string;
      try {
        outcome = new TextDecoder().decode(reader.load(range));
      } catch (error) {
        if (!(error instanceof ModelFormatError)) throw error;
        outcome = error.code;
      }
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }
  } finally {
    await swapper.terminate();
  }
  expect(seen.get('good')).toBeGreaterThan(0);
  expect(seen.get('EXTERNAL_DATA_SYMLINK')).toBeGreaterThan(0);
  expect([...seen.keys()]).not.toContain('evil');
});

test('a tensor larger than memory is refused by its size, without taking the memory', () => {
  const path = join(folder, 'sparse.bin');
  writeFileSync(path, '');
  truncateSync(path, 2 ** 43);
  const range = resolve({ location: 'sparse.bin' }, 2 ** 42);
  expect(refusal(() => external.load(range)).code).toBe('EXTERNAL_DATA_MEMORY');
});
