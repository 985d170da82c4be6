/** A lock on a real model: what a build does with it, and what it refuses. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCK_FILE, LOCK_WEIGHTS_FILE } from '../../../lib/artifact/lock.js';
import { chooseLock } from '../../../lib/compiler/build/apply-lock.js';
import { readModelFolder } from '../../../lib/compiler/build/configuration.js';
import { type BuildReport, buildArtifact } from '../../../lib/compiler/build.js';
import { LOCKED_SESSION, type LockedModel, lockedModel, OPTIMIZE, writeModelJson } from '../../support/locked-model.js';
import { refusalOf } from '../../support/refusal.js';

let model: LockedModel;
beforeAll(async () => {
  model = await lockedModel();
});
afterAll(() => model.remove());

let outputs = 0;
async function build(
  folder: string,
  architecture: 'arm64' | 'x86_64' = 'arm64',
): Promise<BuildReport & { bytes: string[] }> {
  outputs += 1;
  const outputDirectory = join(model.root, 'out', String(outputs));
  const report = await buildArtifact({ modelDirectory: folder, outputDirectory, architecture });
  const files = ['model.onnx', 'model.onnx.data', 'manifest.json'];
  return { ...report, bytes: files.map((file) => readFileSync(join(outputDirectory, file)).toString('base64')) };
}
const choose = (folder: string, architecture: 'arm64' | 'x86_64' = 'arm64') =>
  chooseLock(readModelFolder(folder), architecture);

describe('a build with a lock', () => {
  it('makes the very bytes that were measured, in any folder and for both architectures', async () => {
    const here = await build(model.directory);
    const elsewhere = await build(model.copy(), 'x86_64');
    expect(elsewhere.bytes).toEqual(here.bytes);
    expect(here.manifest.contentHash).toBe(model.lock.architectures.arm64?.artifact.contentHash);
    expect(here.lock).toMatchObject({ asMeasured: true, declined: [], notes: [] });
    expect(here.manifest.session).toEqual(LOCKED_SESSION);
    const bytes = here.manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    expect(bytes / here.source.bytes).toBeLessThan(0.4);
    expect(bytes).toBe(model.lock.architectures.arm64?.artifact.bytes);
  });

  it('follows nodes into a graph that changed, and says that it was not measured', async () => {
    const report = await build(
      model.copy((json) => {
        json.digests.normalizedGraph = 'b'.repeat(64);
      }),
    );
    expect(report.lock?.notes.join()).toMatch(/every node with a recipe was found again.*--revalidate/);
  });

  it('of an older tool whose bytes were others says so, and goes on', async () => {
    const report = await build(
      model.copy((json) => {
        json.tool = '0.0.1';
        for (const { recipe } of json.architectures.arm64?.recipes ?? []) Object.assign(recipe, { perChannel: false });
      }),
    );
    expect(report.lock).toMatchObject({ asMeasured: false, notes: [expect.stringContaining('0.0.1')] });
  });

  it('that was edited is an error: its bytes are not those that were measured', async () => {
    const folder = model.copy((json) => {
      for (const { recipe } of json.architectures.arm64?.recipes ?? []) Object.assign(recipe, { perChannel: false });
    });
    const error = await refusalOf(() => build(folder));
    expect(error).toMatchObject({ code: 'LOCK_MISMATCH', advice: expect.stringContaining('--revalidate') });
  });

  it('does not ask for one without an optimize section', async () => {
    const folder = model.copy();
    writeModelJson(folder, { optimize: undefined });
    expect(await choose(folder)).toBeUndefined();
  });

  it('keeps it when name and version change, which decide no recipe', async () => {
    const folder = model.copy();
    writeModelJson(folder, { version: 7 });
    expect(await choose(folder)).toBeDefined();
  });
});

describe('a build refuses', () => {
  it('to go without a lock, and names the command', async () => {
    const folder = model.copy();
    rmSync(join(folder, LOCK_FILE));
    const error = await refusalOf(() => choose(folder));
    expect(error).toMatchObject({
      code: 'LOCK_REQUIRED',
      advice: expect.stringContaining(`cdk-onnx optimize ${folder}`),
    });
  });

  it('a lock of another architecture', async () => {
    const folder = model.copy((json) => {
      delete json.architectures.x86_64;
    });
    const error = await refusalOf(() => choose(folder, 'x86_64'));
    expect(error).toMatchObject({ code: 'LOCK_ARCHITECTURE', message: expect.stringContaining('arm64') });
    expect(error.advice).toContain('--architecture x86_64');
  });

  it.each<[string, (folder: string) => void, RegExp]>([
    [
      'of another budget',
      (folder) => writeModelJson(folder, { optimize: { ...OPTIMIZE, budget: { metric: 'snr', min: 40 } } }),
      /model\.json/,
    ],
    [
      'of other inputs',
      (folder) => writeModelJson(folder, { inputs: { x: { shape: [1, 3, 48, 192] } } }),
      /model\.json/,
    ],
    ['of another source', (folder) => appendFileSync(join(folder, 'source.onnx'), Buffer.from([0x32, 0])), /source/],
  ])('a lock %s', async (_, change, message) => {
    const folder = model.copy();
    change(folder);
    const error = await refusalOf(() => choose(folder));
    expect(error).toMatchObject({ code: 'LOCK_STALE', message: expect.stringMatching(message) });
    expect(error.advice).toMatch(/^Run `cdk-onnx optimize \S+`\.$/);
  });

  it('a graph that changed and lacks a node, and names it with what would help', async () => {
    const folder = model.copy((json) => {
      json.digests.normalizedGraph = 'b'.repeat(64);
      const [first] = json.architectures.arm64?.recipes ?? [];
      if (first !== undefined) first.node.output = 'gone';
    });
    const error = await refusalOf(() => build(folder));
    expect(error).toMatchObject({ code: 'LOCK_STALE', message: expect.stringContaining("Conv 'gone'") });
    expect(error.advice).toContain('--revalidate');
  });

  it.each<[string, (folder: string) => void]>([
    ['are gone', (folder) => rmSync(join(folder, LOCK_WEIGHTS_FILE))],
    ['were changed', (folder) => appendFileSync(join(folder, LOCK_WEIGHTS_FILE), 'x')],
    ['lost a lock', (folder) => writeFileSync(join(folder, LOCK_FILE), '{')],
  ])('weights that %s', async (_, change) => {
    const folder = model.copy();
    change(folder);
    expect((await refusalOf(() => choose(folder))).code).toBe('LOCK_INVALID');
  });
});
