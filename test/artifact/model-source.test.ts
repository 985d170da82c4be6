import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveModelSource } from '../../lib/artifact/model-source.js';

describe('the source of a model', () => {
  let root: string;
  let folder: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-source-'));
    folder = join(root, 'models', 'm');
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(root, 'node_modules', '@scope', 'package', 'inner'), { recursive: true });
    writeFileSync(join(root, 'node_modules', '@scope', 'package', 'inner', 'm.onnx'), '');
    // Such a package.json would keep Node's own resolution from finding the file.
    writeFileSync(join(root, 'node_modules', '@scope', 'package', 'package.json'), '{"exports":{".":"./index.js"}}');
    writeFileSync(join(folder, 'm.onnx'), '');
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it('is relative to model.json', () => {
    expect(resolveModelSource('m.onnx', folder)).toBe(join(folder, 'm.onnx'));
  });

  it('may be inside a package, whatever that exports', () => {
    expect(resolveModelSource('module:@scope/package/inner/m.onnx', folder)).toBe(
      join(root, 'node_modules/@scope/package/inner/m.onnx'),
    );
  });

  it.each([
    ['absent.onnx', 'there is nothing at'],
    ['module:@scope/package/absent.onnx', 'is installed and has no absent.onnx'],
    ['module:no-such-package-anywhere/m.onnx', 'no node_modules folder'],
    ['module:@scope/package', 'not of the form'],
    ['module:@scope/package/../../../m.onnx', 'not of the form'],
  ])('%s is refused: %s', (source, reason) => {
    expect(() => resolveModelSource(source, folder)).toThrow(reason);
  });
});
