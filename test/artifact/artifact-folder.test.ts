import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readArtifact, writeManifest } from '../../lib/artifact/artifact-folder.js';
import { canonicalJson } from '../../lib/artifact/digest.js';
import { MANIFEST_SCHEMA_VERSION } from '../../lib/artifact/manifest.js';

const MANIFEST = {
  schemaVersion: MANIFEST_SCHEMA_VERSION,
  name: 'm',
  modelVersion: 1,
  onnxruntimeVersion: '1.30.0',
  signature: { inputs: [], outputs: [] },
  task: { type: 'tensor' },
  session: {},
  model: 'model.onnx',
} as const;

describe('an artifact', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-artifact-'));
    writeFileSync(join(folder, 'model.onnx'), 'model');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is named by its content, and not by its report', async () => {
    const first = await writeManifest(folder, MANIFEST);
    writeFileSync(join(folder, 'report.json'), '{}');
    const second = await writeManifest(folder, MANIFEST);
    expect(second).toEqual(first);
    writeFileSync(join(folder, 'model.onnx'), 'another');
    expect((await writeManifest(folder, MANIFEST)).contentHash).not.toBe(first.contentHash);
    expect((await writeManifest(folder, { ...MANIFEST, modelVersion: 2 })).contentHash).not.toBe(first.contentHash);
  });

  it('is read back as it was written', async () => {
    const written = await writeManifest(folder, MANIFEST);
    expect(await readArtifact(folder, { verifyFiles: true })).toEqual(written);
  });

  it('is refused when a file lacks, changed its size or its bytes', async () => {
    await writeManifest(folder, MANIFEST);
    writeFileSync(join(folder, 'model.onnx'), 'nodel');
    await expect(readArtifact(folder)).resolves.toBeTruthy();
    await expect(readArtifact(folder, { verifyFiles: true })).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    writeFileSync(join(folder, 'model.onnx'), 'longer than before');
    await expect(readArtifact(folder)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    rmSync(join(folder, 'model.onnx'));
    await expect(readArtifact(folder)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  });

  it('is refused when its manifest was edited', async () => {
    await writeManifest(folder, MANIFEST);
    const path = join(folder, 'manifest.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"modelVersion": 1', '"modelVersion": 2'));
    await expect(readArtifact(folder)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  });

  it('that is none is said to be none', async () => {
    await expect(readArtifact(folder)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
  });
});

describe('canonical JSON', () => {
  it('does not depend on the order of keys, and keeps that of lists', () => {
    expect(canonicalJson({ b: [2, 1, { y: null, x: undefined }], a: 'é' })).toBe('{"a":"é","b":[2,1,{"y":null}]}');
  });
});
