import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { percentiles } from '../../../lib/compiler/comparison/timing.js';
import { realModels } from '../../support/real-models.js';
import { runCommand } from '../run-command.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-benchmark-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('cdk-onnx benchmark', () => {
  test('times a model file with made-up tensors, and says on which CPU', async () => {
    const flags = ['--runs', '12', '--opens', '2', '--json'];
    const { code, stdout } = await runCommand(['benchmark', realModels.blazefaceFront, ...flags]);
    const benchmark = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(benchmark).toMatchObject({
      threads: 1,
      isSynthetic: true,
      shapes: { 'input:0': [1, 128, 128, 3] },
      run: { count: 12 },
      open: { count: 2 },
      firstRun: { count: 2 },
    });
    expect(benchmark.run.p50).toBeGreaterThan(0);
    expect(benchmark.run.p50).toBeLessThanOrEqual(benchmark.run.p99);
    expect(benchmark.cpu).toMatch(/\w/);
  });

  test("builds a model's folder first, and is a table for people", async () => {
    const { code, stdout } = await runCommand(['benchmark', 'models/faces', '--runs', '6', '--opens', '2'], {
      environment: { TMPDIR: folder },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^models\/faces {2}\d+ kB/);
    expect(stdout).toMatch(/run +[\d.]+ ms .*of 6/);
    expect(stdout).toMatch(/input:0 \[1, 256, 256, 3\], made up/);
  });

  test.each([
    [[], /USAGE: .*name either a model or --function/],
    [['nowhere.onnx'], /MODEL_TO_RUN/],
    [[realModels.blazefaceFront, '--runs', '0'], /USAGE: --runs is '0'/],
    [[realModels.blazefaceFront, '--threads', 'all'], /USAGE: --threads is 'all'/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await runCommand(['benchmark', ...args]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe('percentiles', () => {
  test('are interpolated between ranks', () => {
    expect(percentiles([4, 1, 3, 2])).toMatchObject({ p50: 2.5, p90: 3.7, least: 1, greatest: 4, mean: 2.5, count: 4 });
    expect(percentiles([7])).toMatchObject({ p50: 7, p99: 7 });
  });
});
