import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeAngleSamples } from '../support/angle-samples.js';
import { realModels } from '../support/real-models.js';
import { runCommand } from './run-command.js';

const SOURCE = realModels.ocrAngleClassifier;

let folder: string;
let data: string;
let quantized: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-compare-'));
  data = join(folder, 'data');
  writeAngleSamples(data, 6, 1);
  quantized = join(folder, 'half.onnx');
  const { code, stderr } = await runCommand(['quantize', SOURCE, '--scheme', 'fp16-storage', '--out', quantized]);
  if (code !== 0) throw new Error(stderr);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('cdk-onnx quantize', () => {
  it('writes one file of half the size, and leaves nothing beside it', () => {
    expect(readdirSync(folder).sort()).toEqual(['data', 'half.onnx']);
  });

  it('says how many nodes have the recipe and why others do not, for programs too', async () => {
    const { code, stdout } = await runCommand([
      ...['quantize', SOURCE, '--scheme', 'int8-static', '--calibration', data, '--range', 'percentile-99.9'],
      ...['--out', join(folder, 'static.onnx'), '--json'],
    ]);
    const summary = JSON.parse(stdout);
    expect([code, summary.recipe.scheme]).toEqual([0, 'int8-static']);
    expect(summary.nodes).toBeGreaterThan(50);
    expect(summary.bytes.written / summary.bytes.source).toBeLessThan(0.6);
    rmSync(join(folder, 'static.onnx'));
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a scheme that is none', ['--scheme', 'int2'], /USAGE: --scheme is 'int2'/],
    ['an option of another scheme', ['--scheme', 'fp16-storage', '--bits', '4'], /USAGE: --bits means nothing/],
    ['a block size that is no power of two', ['--scheme', 'matmul-nbits', '--block-size', '48'], /USAGE: --block-size/],
    ['ranges without samples', ['--scheme', 'int8-static'], /CALIBRATION_REQUIRED/],
    ['a recipe that fits nothing', ['--scheme', 'int8-embedding'], /RECIPE_FITS_NOTHING/],
  ])('refuses %s, and writes nothing', async (_, flags, message) => {
    const out = join(folder, 'refused.onnx');
    const { code, stderr, stdout } = await runCommand(['quantize', SOURCE, '--out', out, ...flags]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
    expect(readdirSync(folder).sort()).toEqual(['data', 'half.onnx']);
  });
});

describe('cdk-onnx compare', () => {
  it('tells how far outputs stray, what the models weigh and how long they take, without labels', async () => {
    const { code, stdout } = await runCommand(['compare', SOURCE, quantized, '--data', data, '--runs', '10', '--json']);
    expect(code).toBe(0);
    const { outputs, models, samples, metric, missing, isSynthetic } = JSON.parse(stdout);
    expect({ samples, metric, missing, isSynthetic }).toEqual({
      samples: 6,
      metric: null,
      missing: [],
      isSynthetic: false,
    });
    const [output] = outputs;
    expect(outputs).toHaveLength(1);
    expect(output).toMatchObject({ output: 'softmax_0.tmp_0', dataType: 'float32', agreement: 1 });
    expect(output.snr).toBeGreaterThan(40);
    expect(output.snr).toBeLessThan(120);
    expect(output.worstSnr.value).toBeLessThanOrEqual(output.snr);
    expect(output.worstSnr.sample).toMatch(/^\d\.npy$/);
    expect(output.cosine).toBeGreaterThan(0.9999);
    expect(output.maxAbs).toBeGreaterThan(0);
    expect(output.kl).toBeLessThan(1e-4);
    expect(models[1].bytes / models[0].bytes).toBeLessThan(0.6);
    for (const { latency } of models) expect(Object.values(latency).every((value) => Number(value) > 0)).toBe(true);
  });

  it('finds no difference between a model and itself', async () => {
    const flags = ['--data', data, '--samples', '2', '--runs', '0', '--metric', 'agreement', '--json'];
    const { stdout } = await runCommand(['compare', SOURCE, SOURCE, ...flags]);
    const { outputs, models, metric } = JSON.parse(stdout);
    expect(outputs[0]).toMatchObject({ snr: 150, cosine: 1, maxAbs: 0, kl: 0, agreement: 1 });
    expect(metric).toEqual({ name: 'agreement', unit: 'share', values: [1, 1] });
    expect(models[0].latency).toBeNull();
  });

  it('is a table for people', async () => {
    const { stdout } = await runCommand([
      'compare',
      SOURCE,
      quantized,
      '--data',
      data,
      '--runs',
      '5',
      '--samples',
      '2',
    ]);
    expect(stdout).toMatch(/size +579 kB +2\d\d kB +0\.5\d ×/);
    expect(stdout).toMatch(/softmax_0\.tmp_0 +[\d.]+ dB +[\d.]+ dB \(\d\.npy\)/);
    expect(stdout).toMatch(/medians, one thread, \w+/);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a folder that is no model', [SOURCE, '.', '--data', '.'], /MODEL_TO_RUN/],
    ['models without a common output', [SOURCE, realModels.blazefaceFront, '--data', 'DATA'], /COMPARE_OUTPUTS/],
    ['a metric that nobody knows', [SOURCE, SOURCE, '--data', 'DATA', '--metric', 'beauty'], /METRIC_UNKNOWN/],
    ['data that is not there', [SOURCE, SOURCE, '--data', '/nowhere'], /DATA_/],
  ])('refuses %s', async (_, args, message) => {
    const { code, stderr } = await runCommand(['compare', ...args.map((arg) => (arg === 'DATA' ? data : arg))]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});
