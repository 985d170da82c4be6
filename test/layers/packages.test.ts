import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLATFORMS, packageFolder } from '../../layers/onnxruntime/packages.mjs';
import { writeSlimRuntime } from '../../layers/onnxruntime/slim-runtime.mjs';

const require = createRequire(import.meta.url);
const published = require('onnxruntime-node/package.json');
const root = require('../../package.json');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-packages-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('there is a package for every platform of onnxruntime-node', () => {
  const native = join(require.resolve('onnxruntime-node/package.json'), '../bin/napi-v6');
  const shipped = readdirSync(native).flatMap((platform) =>
    readdirSync(join(native, platform)).map((architecture) => `${platform}-${architecture}`),
  );
  expect([...PLATFORMS].sort()).toEqual(shipped.sort());
});

describe.each(PLATFORMS)('the package for %s', (target) => {
  const [platform = '', nodeArchitecture = ''] = target.split('-');
  const manifest = require(join(packageFolder(target), 'package.json'));

  it('is pinned by cdk-onnx at the version of onnxruntime that it carries', () => {
    const pinned = platform === 'linux' ? root.dependencies : root.optionalDependencies;
    expect(manifest.version).toBe(published.version);
    expect(pinned[manifest.name]).toBe(manifest.version);
  });

  it('installs without a script, and where it can be of use', () => {
    expect(Object.keys(manifest.scripts)).toEqual(['prepack']);
    expect(manifest.dependencies).toBeUndefined();
    // Every host deploys Linux layers; the others are for the toolchain on that host alone.
    const only = platform === 'linux' ? [undefined, undefined] : [[platform], [nodeArchitecture]];
    expect([manifest.os, manifest.cpu]).toEqual(only);
  });

  it('has a binding and a library for that platform, and the binding asks for that library', async () => {
    const target = join(folder, `${platform}-${nodeArchitecture}`);
    await writeSlimRuntime({ platform, nodeArchitecture, outputDirectory: target });
    const library = { linux: 'libonnxruntime.so.1', darwin: 'libonnxruntime.1.dylib', win32: 'onnxruntime.dll' }[
      platform
    ];
    const binding = 'onnxruntime_binding.node';
    expect(readdirSync(target).sort()).toEqual(['LICENSE', 'index.js', library, binding, 'package.json'].sort());
    for (const file of [binding, library ?? '']) {
      expect(machineOf(readFileSync(join(target, file))), file).toBe(target.slice(folder.length + 1));
    }
    expect(readFileSync(join(target, binding)).includes(`${library}\0`)).toBe(true);
  });
});

/** The platform in the header of a native library: ELF, Mach-O or PE. */
function machineOf(bytes: Buffer): string {
  if (bytes.readUInt32BE(0) === 0x7f454c46)
    return { 183: 'linux-arm64', 62: 'linux-x64' }[bytes.readUInt16LE(18)] ?? '';
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return bytes.readUInt32LE(4) === 0x0100000c ? 'darwin-arm64' : '';
  // 0xaa64 and 0x8664.
  const header = bytes.readUInt32LE(0x3c);
  return { 43620: 'win32-arm64', 34404: 'win32-x64' }[bytes.readUInt16LE(header + 4)] ?? '';
}
