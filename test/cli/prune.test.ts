import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeAngleSamples } from '../support/angle-samples.js';
import { realModels } from '../support/real-models.js';
import { runCommand } from './run-command.js';

const SOURCE = realModels.ocrAngleClassifier;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-prune-'));
  writeAngleSamples(join(folder, 'calibration'), 4, 1);
});
afterAll(() => rmSync(folder, { recursive: true }));

const prune = (flags: readonly string[], out = 'out.onnx') =>
  runCommand(['prune', SOURCE, '--out', join(folder, out), ...flags]);

describe('cdk-onnx prune', () => {
  it('takes channels out, makes up for them on samples, and writes a smaller file', async () => {
    const flags = ['--method', 'structured', '--ratio', '0.2', '--calibration', join(folder, 'calibration'), '--json'];
    const { code, stdout } = await prune(flags);
    const summary = JSON.parse(stdout);
    expect([code, summary.method]).toEqual([0, 'structured']);
    expect(summary.numbers.after).toBeLessThan(summary.numbers.before);
    expect(summary.recovery.recovered.length).toBeGreaterThan(0);
    expect(summary.bytes.written).toBeLessThan(summary.bytes.source * 0.9);
  });

  it('says honestly that zeros make no file smaller and no run faster', async () => {
    const { code, stdout } = await prune(['--method', 'magnitude', '--ratio', '0.5']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/50 % of [\d,]+ weights are zero: the file is as large and as fast as before/);
    expect(stdout).toMatch(/compressed .* kB → \d+ kB/);
  });

  it.each([
    [['--method', 'structured'], /PRUNE_RATIO/],
    [['--method', 'magnitude', '--ratio', '2'], /PRUNE_RATIO/],
    [['--method', 'n:m', '--pattern', 'two of four'], /USAGE: --pattern/],
    [['--method', 'everything'], /USAGE: --method/],
  ])('refuses %j, and writes nothing', async (flags, message) => {
    const { code, stderr } = await prune(flags, 'refused.onnx');
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(existsSync(join(folder, 'refused.onnx'))).toBe(false);
  });
});
