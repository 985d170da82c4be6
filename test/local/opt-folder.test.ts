import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostRuntimeFolder } from '../../lib/artifact/onnxruntime-package.js';
import { layOutOptFolder } from '../../lib/local/opt-folder.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-opt-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('on a host that is not Linux the runtime of the layer gives way to the installed one, and nothing else does', () => {
  const layer = join(folder, 'layer');
  const runtime = join(layer, 'nodejs', 'node_modules', 'onnxruntime-node');
  mkdirSync(runtime, { recursive: true });
  writeFileSync(join(runtime, 'index.js'), 'for Linux');
  mkdirSync(join(layer, 'models', 'faces'), { recursive: true });
  writeFileSync(join(layer, 'models', 'faces', 'manifest.json'), '{}');

  const target = join(folder, 'opt');
  layOutOptFolder({ layerFolders: [layer], target, replaceRuntime: true });
  const installed = hostRuntimeFolder();
  expect(realpathSync(join(target, 'nodejs', 'node_modules', 'onnxruntime-node'))).toBe(realpathSync(installed));
  expect(readFileSync(join(target, 'models', 'faces', 'manifest.json'), 'utf8')).toBe('{}');
  expect(readFileSync(join(runtime, 'index.js'), 'utf8')).toBe('for Linux');
  rmSync(target, { recursive: true });
  expect(existsSync(installed)).toBe(true);
});

test('a later layer overwrites a file without touching the layer below', () => {
  const layers = ['one', 'two'].map((name) => {
    const layer = join(folder, name);
    mkdirSync(layer);
    writeFileSync(join(layer, 'same'), name);
    return layer;
  });
  const target = join(folder, 'merged');
  layOutOptFolder({ layerFolders: layers, target, replaceRuntime: false });
  expect(readFileSync(join(target, 'same'), 'utf8')).toBe('two');
  expect(readFileSync(join(folder, 'one', 'same'), 'utf8')).toBe('one');
});
