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

describe('the bundled functions', () => {
  it('are small; the one that predicts brings neither zod nor an SDK; they come out the same in another folder', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'elsewhere/second')];
    await buildFunctions({ outputDirectory: first });
    await buildFunctions({ outputDirectory: second });
    const files = filesOf(first);
    expect([...files.keys()]).toEqual([
      'pre-traffic/index.js',
      'predict/capture.mjs',
      'predict/drift.mjs',
      'predict/index.mjs',
      'predict/node_modules/@cwasm/jpeg-turbo/jpeg-turbo.wasm',
      'predict/node_modules/@cwasm/jpeg-turbo/package.json',
      'predict/node_modules/@huggingface/tokenizers/LICENSE',
      'predict/node_modules/@huggingface/tokenizers/dist/tokenizers.mjs',
      'predict/node_modules/@huggingface/tokenizers/package.json',
      'router/index.mjs',
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
    const router = files.get('router/index.mjs')?.toString() ?? '';
    expect(router.length).toBeLessThan(100_000);
    expect(router).not.toMatch(/ZodError|@aws-sdk|@smithy|onnxruntime-node/);
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
