import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileDigests, userCacheFolder } from '../../lib/artifact/file-digests.js';
import { folderBytes, folderDigest, listFolder } from '../../lib/artifact/folder-digest.js';

let folder: string;
let cacheFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-digests-'));
  cacheFile = join(folder, 'cache', 'digests.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
/** A file that has lain there long enough to be remembered. */
async function settled(name: string, content: Buffer | string): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, content);
  await sleep(150);
  return path;
}

describe('digests of files', () => {
  test('are sha256, also across the boundaries of what is read at once', async () => {
    const content = randomBytes(9 * 1024 * 1024 + 3);
    const path = await settled('large', content);
    expect(new FileDigests({ cacheFile }).sha256(path)).toBe(sha256(content));
  });

  test('are remembered by the next process, until the file changes', async () => {
    const path = await settled('model.onnx', 'first');
    const first = new FileDigests({ cacheFile });
    first.sha256(path);
    first.save();

    const second = new FileDigests({ cacheFile });
    expect(second.sha256(path)).toBe(sha256('first'));
    expect(second.filesRead).toBe(0);

    writeFileSync(path, 'other');
    expect(second.sha256(path)).toBe(sha256('other'));
  });

  test('notice a file of the same size and modification time, as a package manager installs it', async () => {
    const path = await settled('model.onnx', 'first');
    const epoch = new Date('1985-10-26T08:15:00Z');
    utimesSync(path, epoch, epoch);
    await sleep(150);
    const digests = new FileDigests({ cacheFile });
    digests.sha256(path);
    const other = join(folder, 'other');
    writeFileSync(other, 'other');
    utimesSync(other, epoch, epoch);
    renameSync(other, path);
    expect(digests.sha256(path)).toBe(sha256('other'));
  });

  test('of a file that has just changed are not remembered: it may change again unseen', () => {
    const path = join(folder, 'fresh');
    writeFileSync(path, 'x');
    const digests = new FileDigests({ cacheFile });
    digests.sha256(path);
    digests.sha256(path);
    expect(digests.filesRead).toBe(2);
  });

  test.each([
    '',
    'no json',
    '[]',
    '{"schemaVersion":1,"answers":{"sha256 /x":5}}',
    '{"schemaVersion":99,"answers":{}}',
  ])('survive a damaged cache: %j', async (content) => {
    mkdirSync(join(folder, 'cache'));
    writeFileSync(cacheFile, content);
    const path = await settled('file', 'content');
    const digests = new FileDigests({ cacheFile });
    expect(digests.sha256(path)).toBe(sha256('content'));
    digests.save();
    expect(JSON.parse(readFileSync(cacheFile, 'utf8')).schemaVersion).toBe(1);
  });

  test('survive a home folder that cannot be written', async () => {
    const path = await settled('file', 'content');
    for (const unwritable of ['/proc/cdk-onnx/digests.json', join(path, 'digests.json')]) {
      const digests = new FileDigests({ cacheFile: unwritable });
      expect(digests.sha256(path)).toBe(sha256('content'));
      expect(() => digests.save()).not.toThrow();
    }
  });

  test('tell which names a file mentions, also across the boundaries of what is read at once', async () => {
    const boundary = 4 * 1024 * 1024;
    const content = Buffer.alloc(boundary + 100, 'x');
    content.write('weights.bin', boundary - 5);
    content.write('early.data', 10);
    const path = await settled('model.onnx', content);
    const digests = new FileDigests({ cacheFile });
    const names = ['weights.bin', 'absent.bin', 'early.data'];
    expect(digests.mentions(path, names)).toEqual(['weights.bin', 'early.data']);
    digests.mentions(path, names);
    expect(digests.filesRead).toBe(1);
    expect(digests.mentions(path, [])).toEqual([]);
  });

  test('are kept where the XDG specification says', () => {
    expect(userCacheFolder({ XDG_CACHE_HOME: '/var/cache/me' })).toBe('/var/cache/me/cdk-onnx');
    expect(userCacheFolder({ XDG_CACHE_HOME: 'relative' })).toMatch(/\.cache\/cdk-onnx$/);
    expect(userCacheFolder({})).toMatch(/\.cache\/cdk-onnx$/);
  });
});

describe('the digest of a folder', () => {
  const write = (parent: string) => {
    mkdirSync(join(folder, parent, 'inner'), { recursive: true });
    writeFileSync(join(folder, parent, 'a'), '1');
    writeFileSync(join(folder, parent, 'inner', 'b'), '22');
    return join(folder, parent);
  };
  const digest = (path: string) => folderDigest(path, new FileDigests({ cacheFile }));

  test('does not depend on where it lies, and does on names, contents and executable bits', () => {
    const [one, two] = [write('one'), write('two')];
    expect(digest(one)).toBe(digest(two));
    expect(folderBytes(one)).toBe(3);
    expect(listFolder(one).map((file) => file.path)).toEqual(['a', 'inner/b']);

    const unchanged = digest(one);
    chmodSync(join(two, 'a'), 0o755);
    expect(digest(two)).not.toBe(unchanged);
    chmodSync(join(two, 'a'), 0o644);
    renameSync(join(two, 'a'), join(two, 'c'));
    expect(digest(two)).not.toBe(unchanged);
    renameSync(join(two, 'c'), join(two, 'a'));
    expect(digest(two)).toBe(unchanged);
    writeFileSync(join(two, 'inner', 'b'), '23');
    expect(digest(two)).not.toBe(unchanged);
  });

  test('refuses symbolic links', () => {
    const one = write('one');
    symlinkSync('/etc/passwd', join(one, 'link'));
    expect(() => digest(one)).toThrow(expect.objectContaining({ code: 'SYMBOLIC_LINK_IN_FOLDER' }));
  });
});
