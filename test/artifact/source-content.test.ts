import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../lib/artifact/digest.js';
import { sourceBytes, sourceDigest, sourceFiles } from '../../lib/artifact/source-content.js';
import { refusalOf } from '../support/refusal.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-source-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, content: string): string {
  const file = join(root, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const relative = (files: readonly string[]) => files.map((file) => file.slice(root.length + 1));

describe('a source', () => {
  test('that is a file alone has its own digest and size', async () => {
    const file = put('model.onnx', 'a model');
    put('other.txt', 'no part of it');
    expect(await sourceDigest(file)).toBe(sha256('a model'));
    expect(sourceBytes(file)).toBe(7);
  });

  test('that is a SavedModel is its whole folder, by whatever it is named', async () => {
    const file = put('saved/saved_model.pb', 'graph');
    put('saved/variables/variables.index', 'index');
    const data = put('saved/variables/variables.data-00000-of-00001', 'weights');
    expect(relative(sourceFiles(file))).toEqual([
      'saved/saved_model.pb',
      'saved/variables/variables.data-00000-of-00001',
      'saved/variables/variables.index',
    ]);
    expect(sourceBytes(join(root, 'saved'))).toBe(17);
    const digest = await sourceDigest(file);
    expect(await sourceDigest(join(root, 'saved'))).toBe(digest);
    cpSync(join(root, 'saved'), join(root, 'elsewhere', 'copy'), { recursive: true });
    expect(await sourceDigest(join(root, 'elsewhere', 'copy'))).toBe(digest);
    writeFileSync(data, 'changed');
    expect(await sourceDigest(file)).not.toBe(digest);
  });

  test('that is a TensorFlow.js model has its shards, and nothing that its manifest only claims', async () => {
    const manifest = [
      { paths: ['b.bin', 'a.bin'], weights: [] },
      { paths: ['absent.bin', '../outside.bin', 'a.bin', 7] },
      null,
    ];
    const file = put('js/model.json', JSON.stringify({ modelTopology: {}, weightsManifest: manifest }));
    put('outside.bin', 'secret');
    put('js/b.bin', 'bb');
    const shard = put('js/a.bin', 'a');
    expect(relative(sourceFiles(file))).toEqual(['js/model.json', 'js/b.bin', 'js/a.bin']);
    const digest = await sourceDigest(file);
    writeFileSync(shard, 'b');
    expect(await sourceDigest(file)).not.toBe(digest);
  });

  test.each(['{"weightsManifest": 1}', '[]', '{ no JSON'])('that is another JSON file, %s, stands alone', (content) => {
    expect(sourceFiles(put('model.json', content))).toHaveLength(1);
  });

  test('whose folder holds a link is refused', async () => {
    put('saved/saved_model.pb', 'graph');
    symlinkSync('/etc/hostname', join(root, 'saved', 'assets'));
    expect((await refusalOf(() => sourceDigest(join(root, 'saved')))).code).toBe('SYMBOLIC_LINK_IN_FOLDER');
  });
});
