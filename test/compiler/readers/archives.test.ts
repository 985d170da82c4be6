/** A source may be a file, a folder that holds a model, or an archive of either. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { writeModel } from '../../../lib/compiler/ir/serialization/write.js';
import { weightsOf } from '../../../lib/compiler/ir/summary.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { openModel, readModel } from '../../../lib/compiler/readers/read-model.js';
import { realModels } from '../../support/real-models.js';
import { refusalOf } from '../../support/refusal.js';
import { tarOf } from '../../support/tar-writer.js';
import { useWatchedTemporaryFolder } from '../../support/watched-temporary-folder.js';

const temporary = useWatchedTemporaryFolder();

const bytes = readFileSync(realModels.ocrAngleClassifier);

function file(name: string, content: Uint8Array): string {
  const path = join(temporary.path, name);
  writeFileSync(path, content);
  return path;
}

async function nodesOf(path: string): Promise<number> {
  await using opened = await openModel(path);
  expect(opened.reader.name).toBe('ONNX');
  return opened.model.graph.nodes.length;
}

describe('an archive', () => {
  test.each<[string, () => Uint8Array]>([
    ['model.zip', () => zipSync({ 'model.onnx': bytes })],
    [
      'nested.zip',
      () => zipSync({ 'download/model-v1/model.onnx': bytes, 'download/model-v1/README.md': new Uint8Array(9) }),
    ],
    ['named-otherwise.bin', () => zipSync({ 'weights.dat': bytes })],
    ['model.tar', () => tarOf([{ name: './model.onnx', content: bytes }])],
    [
      'model.tgz',
      () =>
        gzipSync(
          tarOf([
            { name: 'model/', type: '5' },
            { name: 'model/model.onnx', content: bytes },
          ]),
        ),
    ],
    ['model.onnx.gz', () => gzipSync(bytes)],
  ])('%s holds a model', async (name, make) => {
    const expected = (await readOnnx(realModels.ocrAngleClassifier)).graph.nodes.length;
    expect(await nodesOf(file(name, make()))).toBe(expected);
    expect(temporary.leftBehind()).toEqual([]);
  });

  test('of a model with external data can be read until it is disposed of', async () => {
    const folder = join(temporary.path, 'external');
    mkdirSync(folder);
    const model = await readOnnx(realModels.ocrAngleClassifier);
    await writeModel(model, join(folder, 'model.onnx'), { externalData: { file: 'weights.bin', minimumBytes: 1 } });
    execFileSync('tar', ['-czf', join(temporary.path, 'external.tar.gz'), '-C', temporary.path, 'external']);
    {
      await using opened = await openModel(join(temporary.path, 'external.tar.gz'));
      const [own = [], other = []] = [opened.model, model].map((each) =>
        weightsOf(each).map(({ tensor }) => tensor.bytes()),
      );
      expect(own.map((each) => Buffer.from(each).toString('base64'))).toEqual(
        other.map((each) => Buffer.from(each).toString('base64')),
      );
      expect(existsSync(opened.path)).toBe(true);
      expect(opened.isUnpacked).toBe(true);
    }
    expect(temporary.leftBehind()).toEqual([]);
    await expect(readModel(join(temporary.path, 'external.tar.gz'))).rejects.toThrow(TypeError);
    expect(temporary.leftBehind()).toEqual([]);
  });

  test('with a fault leaves nothing behind, and is called by its own name', async () => {
    const path = file('damaged.zip', zipSync({ 'a/model.onnx': bytes.subarray(0, 5000) }));
    const error = await refusalOf(() => openModel(path));
    expect(error.code).toBe('PROTOBUF_TRUNCATED');
    const several = file('several.zip', zipSync({ 'a/one.onnx': bytes, 'a/two.onnx': bytes }));
    const ambiguous = await refusalOf(() => openModel(several));
    expect(ambiguous.code).toBe('MODEL_AMBIGUOUS');
    expect(ambiguous.message).toMatch(/several\.zip holds 2 models: a\/one\.onnx \(ONNX\), a\/two\.onnx \(ONNX\)/);
    const traversal = await refusalOf(() => openModel(file('evil.zip', zipSync({ '../model.onnx': bytes }))));
    expect(traversal.code).toBe('ARCHIVE_UNSAFE');
    expect(temporary.leftBehind()).toEqual([]);
  });

  test('whose unpacking is stopped leaves nothing behind', async () => {
    const path = file('stopped.zip', zipSync({ 'model.onnx': bytes }));
    await expect(openModel(path, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    expect(temporary.leftBehind()).toEqual([]);
  });
});

describe('a folder', () => {
  test('may hold one model beside other files', async () => {
    const folder = join(temporary.path, 'folder');
    mkdirSync(join(folder, 'deeper'), { recursive: true });
    writeFileSync(join(folder, 'README.md'), 'what it is');
    writeFileSync(join(folder, 'deeper', 'other.onnx'), bytes);
    expect((await refusalOf(() => openModel(folder))).message).toMatch(/this is a folder without a model .*README\.md/);
    writeFileSync(join(folder, 'model.onnx'), bytes);
    expect(await nodesOf(folder)).toBeGreaterThan(0);
    expect(existsSync(join(folder, 'model.onnx'))).toBe(true);
  });
});
