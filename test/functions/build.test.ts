import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildFunctions } from '../../functions/build.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-functions-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function filesOf(root: string): Map<string, Buffer> {
  const entries = readdirSync(root, { recursive: true }).map(String).sort();
  const files = entries.filter((entry) => statSync(join(root, entry)).isFile());
  return new Map(files.map((file) => [file, readFileSync(join(root, file))]));
}

/** The files beside it that a module imports. */
function imported(code: string): string[] {
  return [...code.matchAll(/\bfrom\s?"\.\/([^"]+)"/g)].map(([, name]) => name ?? '');
}

describe('the bundled functions', () => {
  it('are small; the one that predicts brings neither zod nor an SDK; they come out the same in another folder', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'elsewhere/second')];
    await buildFunctions({ outputDirectory: first });
    await buildFunctions({ outputDirectory: second });
    const files = filesOf(first);
    const taskPackages = (folder: string) => [
      `${folder}/node_modules/@cwasm/jpeg-turbo/jpeg-turbo.wasm`,
      `${folder}/node_modules/@cwasm/jpeg-turbo/package.json`,
      `${folder}/node_modules/@huggingface/tokenizers/LICENSE`,
      `${folder}/node_modules/@huggingface/tokenizers/dist/tokenizers.mjs`,
      `${folder}/node_modules/@huggingface/tokenizers/package.json`,
    ];
    const parts = [...files.keys()].filter((file) => /^router\/[a-z-]+-[0-9A-Z]{8}\.mjs$/.test(file));
    expect([...files.keys()].filter((file) => !parts.includes(file))).toEqual([
      'pre-traffic/index.js',
      'predict/capture.mjs',
      'predict/drift.mjs',
      'predict/index.mjs',
      ...taskPackages('predict'),
      'router/index.mjs',
      ...taskPackages('router'),
      'version-retention/index.js',
    ]);
    expect(filesOf(second)).toEqual(files);
    const code = files.get('predict/index.mjs')?.toString() ?? '';
    expect(code.length).toBeGreaterThan(10_000);
    expect(code.length).toBeLessThan(150_000);
    expect(code).not.toMatch(/ZodError|@aws-sdk|@smithy/);
    expect(code).not.toContain(process.cwd());
    const packages = [...code.matchAll(/\bfrom\s?"([^"]+)"/g)].map(([, name]) => name ?? '');
    expect(packages.length).toBeGreaterThan(0);
    expect(packages.filter((name) => !name.startsWith('node:'))).toEqual([]);
    const textOf = (file: string) => files.get(file)?.toString() ?? '';
    const loadedByRouter = [
      'router/index.mjs',
      ...imported(textOf('router/index.mjs')).map((part) => `router/${part}`),
    ];
    expect(loadedByRouter.map(textOf).join('').length).toBeLessThan(80_000);
    const whole = ['router/index.mjs', ...parts].map(textOf).join('');
    expect(whole.length).toBeLessThan(150_000);
    expect(whole).not.toMatch(/ZodError|@aws-sdk|@smithy|onnxruntime-node/);
    const hook = files.get('pre-traffic/index.js')?.toString() ?? '';
    expect(hook.length).toBeLessThan(30_000);
    const requiredByHook = [...hook.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name ?? '');
    expect(new Set(requiredByHook.filter((name) => !name.startsWith('node:')))).toEqual(
      new Set(['@aws-sdk/client-codedeploy', '@aws-sdk/client-lambda', '@aws-sdk/client-s3']),
    );
    expect(hook).not.toContain('import(');
    const retention = files.get('version-retention/index.js')?.toString() ?? '';
    expect(retention.length).toBeLessThan(10_000);
    const required = [...retention.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name ?? '');
    expect(new Set(required)).toEqual(new Set(['@aws-sdk/client-lambda']));
  });
});
