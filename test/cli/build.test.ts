import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { realModels } from '../support/real-models.js';
import { runCommand } from './run-command.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-build-'));
afterAll(() => rmSync(folder, { recursive: true }));

const directory = join(folder, 'faces');
mkdirSync(directory);
writeFileSync(
  join(directory, 'model.json'),
  JSON.stringify({ name: 'faces', source: realModels.blazefaceFront, gpu: { precision: 'fp16', tensorRt: true } }),
);

test('--only-gpu builds the variant for a GPU as the artifact, and says what Triton will do', async () => {
  const out = join(folder, 'gpu');
  const { code, stdout } = await runCommand(['build', directory, '--out', out, '--only-gpu']);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^ {2}gpu: fp16, [\d.]+ \w+; answers differ .*\n {4}for Triton: no batches, compiled by TensorRT\n$/,
  );
  expect(readdirSync(out).sort()).toEqual(['manifest.json', 'model.onnx', 'model.onnx.data', 'triton']);
  const json = await runCommand(['build', directory, '--out', out, '--only-gpu', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ precision: 'fp16', archive: { name: 'faces', tensorRt: true } });
}, 120_000);

test('--only-gpu and --skip-gpu leave nothing to build', async () => {
  const { code, stderr } = await runCommand([
    'build',
    directory,
    '--out',
    join(folder, 'none'),
    '--only-gpu',
    '--skip-gpu',
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain('--only-gpu and --skip-gpu leave nothing to build.');
  expect(readdirSync(folder)).not.toContain('none');
}, 120_000);
