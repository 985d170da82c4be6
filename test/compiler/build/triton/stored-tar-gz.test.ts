import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../../lib/artifact/digest.js';
import { type PackedFile, writeTarGz } from '../../../../lib/compiler/build/triton/stored-tar-gz.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-tar-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let archives = 0;
const archiveOf = async (files: readonly PackedFile[]) => {
  const path = join(folder, `${archives++}.tar.gz`);
  await writeTarGz(path, files);
  return path;
};
/** More than a read, a stored block and a block of tar, and a multiple of none. */
const weights = Uint8Array.from({ length: 2 ** 20 + 70_001 }, (_, index) => (index * 31) % 251);

describe('an archive for Triton', () => {
  it('is unpacked by tar, file by file', async () => {
    const onDisk = join(folder, 'weights');
    writeFileSync(onDisk, weights);
    const path = await archiveOf([
      { name: 'faces/config.pbtxt', content: Buffer.from('name: "faces"\n') },
      { name: 'faces/1/model.onnx', content: new Uint8Array(512) },
      { name: 'faces/1/model.onnx.data', content: { path: onDisk } },
      { name: 'faces/1/empty', content: new Uint8Array() },
    ]);
    const unpacked = join(folder, 'unpacked');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xzf', path, '-C', unpacked]);
    expect(readFileSync(join(unpacked, 'faces/config.pbtxt'), 'utf8')).toBe('name: "faces"\n');
    expect(statSync(join(unpacked, 'faces/1/model.onnx')).size).toBe(512);
    expect(sha256(readFileSync(join(unpacked, 'faces/1/model.onnx.data')))).toBe(sha256(weights));
    expect(statSync(join(unpacked, 'faces/1/empty')).size).toBe(0);
    // zlib compares the checksum and the size of the trailer.
    expect(gunzipSync(readFileSync(path)).byteLength % 512).toBe(0);
    execFileSync('gzip', ['--test', path]);
  });

  it('has the same bytes wherever its content comes from, in every run', async () => {
    const onDisk = join(folder, 'same');
    writeFileSync(onDisk, weights);
    const fromDisk = await archiveOf([{ name: 'm/1/model.onnx', content: { path: onDisk } }]);
    const fromMemory = await archiveOf([{ name: 'm/1/model.onnx', content: weights }]);
    expect(sha256(readFileSync(fromDisk))).toBe(sha256(readFileSync(fromMemory)));
    // Of no machine, no clock and no version of zlib: what was written when this test was.
    expect(sha256(readFileSync(fromDisk))).toBe('9561d244c6e4d96a8fb4b3b224bc8110b1b13fb935beed1cbdcd54a03699e203');
  });

  it('holds no file that ustar has no room for', async () => {
    await expect(archiveOf([{ name: 'n'.repeat(101), content: new Uint8Array() }])).rejects.toMatchObject({
      code: 'ARCHIVE_LIMIT',
    });
  });
});
