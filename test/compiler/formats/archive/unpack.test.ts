import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { crc32, crc32InJavaScript } from '../../../../lib/compiler/formats/archive/crc32.js';
import {
  type ArchiveKind,
  type UnpackOptions,
  unpackArchive,
} from '../../../../lib/compiler/formats/archive/unpack.js';
import { refusalOf } from '../../../support/refusal.js';
import { paxRecord, type TarEntry, tarOf } from '../../../support/tar-writer.js';
import { zipFolder } from '../../../support/zip-folder.js';
import { zipOf } from '../../../support/zip-writer.js';

let root: string;
let target: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-unpack-'));
  target = join(root, 'target');
  mkdirSync(target);
});
afterEach(() => rmSync(root, { recursive: true }));

const text = (value: string) => new TextEncoder().encode(value);

async function unpack(kind: ArchiveKind, bytes: Uint8Array, options?: UnpackOptions): Promise<Record<string, string>> {
  const path = join(root, `archive.${kind}`);
  writeFileSync(path, bytes);
  await unpackArchive(path, kind, target, options);
  return files();
}

function files(): Record<string, string> {
  const paths = readdirSync(target, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    paths.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(target.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}

const refused = (kind: ArchiveKind, bytes: Uint8Array, options?: UnpackOptions) =>
  refusalOf(() => unpack(kind, bytes, options));

describe('an archive is unpacked', () => {
  test('zip, with folders, and without what desktop systems add', async () => {
    const zip = zipSync({
      'model/graph.pb': text('graph'),
      'model/variables/': new Uint8Array(),
      'model/variables/index': text('index'),
      '__MACOSX/model/._graph.pb': text('fork'),
      'model/.DS_Store': text('view'),
    });
    expect(await unpack('zip', zip)).toEqual({ 'model/graph.pb': 'graph', 'model/variables/index': 'index' });
  });

  test('zip as tools on Unix write it, with modes', async () => {
    const source = join(root, 'model');
    mkdirSync(join(source, 'variables'), { recursive: true });
    writeFileSync(join(source, 'variables', 'index'), 'i'.repeat(1000));
    expect(await unpack('zip', zipFolder(source))).toEqual({ 'model/variables/index': 'i'.repeat(1000) });
  });

  test.each(['ustar', 'pax', 'gnu', 'v7'])('tar as GNU tar writes it in the format %s', async (format) => {
    const source = join(root, 'source');
    const long = format === 'v7' ? 'layer' : 'layer'.repeat(format === 'ustar' ? 12 : 30);
    mkdirSync(join(source, 'model', long), { recursive: true });
    writeFileSync(join(source, 'model', 'a.bin'), 'a'.repeat(1500));
    writeFileSync(join(source, 'model', long, 'größe.bin'), 'b');
    writeFileSync(join(source, 'model', 'empty'), '');
    execFileSync('tar', [`--format=${format}`, '-cf', join(root, 'made.tar'), '-C', source, '.']);
    expect(await unpack('tar', readFileSync(join(root, 'made.tar')))).toEqual({
      'model/a.bin': 'a'.repeat(1500),
      [`model/${long}/größe.bin`]: 'b',
      'model/empty': '',
    });
  });

  test('tar.gz', async () => {
    const tar = tarOf([
      { name: 'model/', type: '5' },
      { name: 'model/a', content: 'one' },
    ]);
    expect(await unpack('gzip', gzipSync(tar))).toEqual({ 'model/a': 'one' });
  });

  test('gzip of a single file, which loses its ending', async () => {
    expect(await unpack('gzip', gzipSync(text('a model')))).toEqual({ archive: 'a model' });
    rmSync(join(target, 'archive'));
    writeFileSync(join(root, 'model.onnx.gz'), gzipSync(text('')));
    await unpackArchive(join(root, 'model.onnx.gz'), 'gzip', target);
    expect(files()).toEqual({ 'model.onnx': '' });
  });

  test('pax headers name a file and tell its size; those of all files are passed over', async () => {
    const entries: TarEntry[] = [
      { name: 'pax_global_header', type: 'g', content: paxRecord('comment', 'x') },
      { name: 'x', type: 'x', content: paxRecord('path', 'in/größer') + paxRecord('mtime', '1.5') },
      { name: 'short', content: 'content' },
      { name: 'next', content: 'other' },
    ];
    expect(await unpack('tar', tarOf(entries))).toEqual({ 'in/größer': 'content', next: 'other' });
  });
});

describe('nothing is written outside', () => {
  const names = [
    '../evil',
    'a/../../evil',
    '/etc/evil',
    'C:/evil',
    'C:evil',
    '\\evil',
    'a\\..\\evil',
    'a/b\0c',
    'nul',
    'aux.txt',
    'x'.repeat(300),
    `${'a/'.repeat(40)}b`,
  ];
  test.each(names)('a zip entry named %j', async (name) => {
    const error = await refused(
      'zip',
      zipOf([
        { name: 'first', packed: text('x'), size: 1, method: 0 },
        { name, packed: text('x'), size: 1, method: 0 },
      ]),
    );
    expect(error.code).toBe('ARCHIVE_UNSAFE');
    // The directory was read in front of everything.
    expect(files()).toEqual({});
    expect(existsSync(join(root, 'evil'))).toBe(false);
  });

  test.each(names.filter((name) => name.length < 100 && !name.includes('\0')))('a tar entry named %j', async (name) => {
    expect((await refused('tar', tarOf([{ name, content: 'x' }]))).code).toBe('ARCHIVE_UNSAFE');
    expect(existsSync(join(root, 'evil'))).toBe(false);
  });

  test('a pax header that renames a file', async () => {
    const entries = [
      { name: 'x', type: 'x', content: paxRecord('path', '../evil') },
      { name: 'harmless', content: 'x' },
    ];
    expect((await refused('tar', tarOf(entries))).code).toBe('ARCHIVE_UNSAFE');
  });

  test.each([
    ['a symbolic link', '2'],
    ['a hard link', '1'],
    ['a device', '3'],
    ['a pipe', '6'],
    ['something unknown', 'Z'],
  ])('%s in a tar archive', async (_, type) => {
    const error = await refused(
      'tar',
      tarOf([
        { name: 'link', type, link: '/etc' },
        { name: 'link/passwd', content: 'x' },
      ]),
    );
    expect(error).toMatchObject({ code: 'ARCHIVE_UNSAFE', message: expect.stringContaining('link') });
    expect(readdirSync(target)).toEqual([]);
  });

  test('a symbolic link in a zip archive, as Info-ZIP packs it', async () => {
    symlinkSync('/etc', join(root, 'link'));
    const zip = zipSync({ link: [text('/etc'), { os: 3, attrs: 0o120777 << 16 }], 'link/passwd': text('x') });
    expect(await refused('zip', zip)).toMatchObject({
      code: 'ARCHIVE_UNSAFE',
      message: expect.stringContaining('is a link, not a file'),
    });
    expect(readdirSync(target)).toEqual([]);
  });

  test('two files of one name', async () => {
    const twice = [
      { name: 'a', content: '1' },
      { name: './a', content: '2' },
    ];
    expect((await refused('tar', tarOf(twice))).code).toBe('ARCHIVE_DAMAGED');
    const below = [
      { name: 'a', content: '1' },
      { name: 'a/b', content: '2' },
    ];
    expect((await refused('tar', tarOf(below))).code).toBe('ARCHIVE_DAMAGED');
  });
});

describe('no more is written than an archive can honestly hold', () => {
  const zeros = Buffer.alloc(2_000_000);
  const limits = { maxBytes: 1_000_000 };

  test('a zip file that says so', async () => {
    const error = await refused(
      'zip',
      zipOf([{ name: 'z', packed: deflateRawSync(zeros), size: zeros.length, method: 8 }]),
      { limits },
    );
    expect(error).toMatchObject({ code: 'ARCHIVE_TOO_LARGE', message: expect.stringContaining('2000000') });
    expect(readdirSync(target)).toEqual([]);
  });

  test('a zip file that lies', async () => {
    const lying = zipOf([{ name: 'z', packed: deflateRawSync(zeros), size: 10, method: 8 }]);
    expect((await refused('zip', lying, { limits })).code).toBe('ARCHIVE_DAMAGED');
  });

  test('gzip, which says nothing before', async () => {
    expect((await refused('gzip', gzipSync(zeros), { limits })).code).toBe('ARCHIVE_TOO_LARGE');
    expect((await refused('gzip', gzipSync(tarOf([{ name: 'z', content: zeros }])), { limits })).code).toBe(
      'ARCHIVE_TOO_LARGE',
    );
  });

  test('a compression beyond all weights', async () => {
    const large = Buffer.alloc(70 * 2 ** 20);
    const error = await refused('gzip', gzipSync(large), { limits: { maxRatio: 1 } });
    expect(error).toMatchObject({ code: 'ARCHIVE_TOO_LARGE', message: expect.stringContaining('for one of its size') });
  });

  test('more files than a model has', async () => {
    const many = Array.from({ length: 20 }, (_, index) => ({ name: `f${index}`, content: '' }));
    expect((await refused('tar', tarOf(many), { limits: { maxEntries: 10 } })).code).toBe('ARCHIVE_TOO_LARGE');
    const zip = zipSync(Object.fromEntries(many.map(({ name }) => [name, new Uint8Array()])));
    expect((await refused('zip', zip, { limits: { maxEntries: 10 } })).code).toBe('ARCHIVE_TOO_LARGE');
  });

  test('a name of gigabytes', async () => {
    const entry = { name: 'x', type: 'x', size: 2 ** 32, content: 'x' };
    expect((await refused('tar', tarOf([entry]))).code).toBe('ARCHIVE_TOO_LARGE');
  });
});

describe('damage is told', () => {
  const tar = tarOf([{ name: 'a', content: 'x'.repeat(2000) }]);

  test.each<[string, ArchiveKind, () => Uint8Array]>([
    ['a zip file without its directory', 'zip', () => zipSync({ a: text('x'.repeat(100)) }).slice(0, 60)],
    ['a zip entry of other bytes', 'zip', () => flipped(zipSync({ a: text('x'.repeat(100)) }, { level: 0 }), 60)],
    ['a tar archive cut in a file', 'tar', () => tar.slice(0, 1000)],
    ['a tar archive cut in a header', 'tar', () => tar.slice(0, 100)],
    ['a tar archive without its end', 'tar', () => tar.slice(0, 512 + 2048)],
    ['a header with another byte', 'tar', () => flipped(tar, 3)],
    [
      'a size that is no number',
      'tar',
      () => tarOf([{ name: 'x', type: 'x', content: paxRecord('size', '-5') }, { name: 'a' }]),
    ],
    ['a pax header of nonsense', 'tar', () => tarOf([{ name: 'x', type: 'x', content: '99 path=a\n' }, { name: 'a' }])],
    ['a cut gzip file', 'gzip', () => gzipSync(tar).slice(0, 30)],
    ['gzip of other bytes', 'gzip', () => flipped(gzipSync(tar, { level: 0 }), 700)],
  ])('%s', async (_, kind, bytes) => {
    expect((await refused(kind, bytes())).code).toBe('ARCHIVE_DAMAGED');
  });

  test('files with holes', async () => {
    const sparse = [{ name: 'x', type: 'x', content: paxRecord('GNU.sparse.major', '1') }, { name: 'a' }];
    expect((await refused('tar', tarOf(sparse))).code).toBe('ARCHIVE_VARIANT');
  });

  function flipped(bytes: Uint8Array, at: number): Uint8Array {
    const copy = bytes.slice();
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  }
});

test('unpacking stops when it is told to', async () => {
  const signal = AbortSignal.abort(new Error('stop'));
  await expect(unpack('tar', tarOf([{ name: 'a', content: 'x' }]), { signal })).rejects.toThrow('stop');
  expect(readdirSync(target)).toEqual([]);
});

test('checksums are those of zip, also where Node has none', () => {
  const bytes = text('123456789');
  for (const checksum of [crc32, crc32InJavaScript]) {
    expect(checksum(bytes)).toBe(0xcbf43926);
    expect(checksum(bytes.subarray(4), checksum(bytes.subarray(0, 4)))).toBe(0xcbf43926);
  }
});
