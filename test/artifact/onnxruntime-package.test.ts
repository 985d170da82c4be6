import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { folderBytes } from '../../lib/artifact/folder-digest.js';
import {
  hostRuntimeFolder,
  onnxruntimeLayerFolder,
  onnxruntimeVersion,
} from '../../lib/artifact/onnxruntime-package.js';

const published = createRequire(import.meta.url)('onnxruntime-node/package.json');

describe('the onnxruntime packages', () => {
  it('hold the layers of both architectures, whatever this host is', () => {
    expect(folderBytes(onnxruntimeLayerFolder('arm64'))).toBeGreaterThan(15e6);
    expect(folderBytes(onnxruntimeLayerFolder('x86_64'))).toBeGreaterThan(15e6);
    expect(onnxruntimeLayerFolder('arm64')).not.toBe(onnxruntimeLayerFolder('x86_64'));
    expect(onnxruntimeVersion()).toBe(published.version);
  });

  it('hold a runtime that loads on this host', () => {
    const program =
      'const { env, listSupportedBackends } = require(process.argv[1]);' +
      'console.log(JSON.stringify([env.versions.node, listSupportedBackends().map(({ name }) => name)]))';
    const output = execFileSync(process.execPath, ['-e', program, hostRuntimeFolder()], { encoding: 'utf8' });
    const [version, backends] = JSON.parse(output);
    expect(version).toBe(published.version);
    expect(backends).toContain('cpu');
  });

  it('are missed with their name and advice on a host that there is none for', () => {
    expect(() => hostRuntimeFolder('darwin', 'x64')).toThrow(
      expect.objectContaining({
        code: 'RUNTIME_NOT_INSTALLED',
        message: expect.stringContaining('@cdk-onnx/onnxruntime-darwin-x64 is not installed'),
        advice: expect.stringContaining('macOS on arm64'),
      }),
    );
  });
});
