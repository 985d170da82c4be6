import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { binary, unary } from '../../lib/compiler/lowering/elementwise.js';
import { GraphBuilder } from '../../lib/compiler/lowering/graph-builder.js';
import { float32, writeParityFile } from '../support/parity-file.js';
import { realModels } from '../support/real-models.js';
import { savedModelRecording } from '../support/saved-model-fixture.js';
import { tarOf } from '../support/tar-writer.js';
import { runCommand } from './run-command.js';

let folder: string;
let source: string;
let outputs: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-convert-'));
  outputs = join(folder, 'out');
  mkdirSync(outputs);
  source = join(folder, 'source.onnx');
  const builder = new GraphBuilder();
  const x = builder.input('x', { elementType: 'float32', shape: ['N', 2] });
  const scaled = builder.scope('scale', () => binary(builder, 'Mul', x, builder.scalar(2)));
  const y = builder.scope('root', () => unary(builder, 'Sqrt', scaled));
  writeFileSync(source, modelToBytes(builder.finish([{ name: 'y', value: y }])));
});
afterAll(() => rmSync(folder, { recursive: true }));

const right = { 'inputs/x': float32([1, 2], 2, 8), 'outputs/y': float32([1, 2], 2, 4) };
const wrong = {
  ...right,
  'outputs/y': float32([1, 2], 2, 5),
  'layers/scale': float32([1, 2], 4, 25),
  'layers/root': float32([1, 2], 2, 5),
};
const samples = (name: string, arrays: typeof right) => writeParityFile(join(folder, name), arrays);
const convert = (from: string, flags: readonly string[] = [], out = join(outputs, 'model.onnx')) =>
  runCommand(['convert', from, '--out', out, ...flags]);

describe('cdk-onnx convert', () => {
  test('writes an ONNX file, says what is in it, and that it was not checked', async () => {
    const { code, stdout } = await convert(realModels.ocrAngleClassifier);
    expect(code).toBe(0);
    expect(stdout).toMatch(/model\.onnx .*kB \(ONNX, /);
    expect(stdout).toMatch(/in: x float32 \[/);
    expect(stdout).toMatch(/not checked against its source/);
    expect(stdout).toMatch(/answers .* the source .*on made-up inputs/);
    expect(readdirSync(outputs)).toEqual(['model.onnx']);
  });

  test('checks it against recorded samples, as text and as JSON', async () => {
    const check = ['--check', samples('right.npz', right)];
    const text = await convert(source, check);
    expect([text.code, text.stdout]).toEqual([0, expect.stringMatching(/parity: output 'y' is/)]);
    const { stdout } = await convert(source, [...check, '--json']);
    const { parity, signature } = JSON.parse(stdout);
    expect(parity.outputs).toMatchObject([{ output: 'y', holds: true, tolerance: 1e-4 }]);
    expect(signature.inputs).toEqual([{ name: 'x', dataType: 'float32', shape: ['N', 2] }]);
  });

  test('refuses a model that strays, names the output, writes nothing and touches nothing', async () => {
    const out = join(outputs, 'strays.onnx');
    const check = ['--check', samples('wrong.npz', wrong)];
    const refused = await convert(source, check, out);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/PARITY_STRAYS: Output 'y' strays .* So it did before any rewrite/);
    expect(existsSync(out)).toBe(false);
    writeFileSync(out, 'what was there');
    expect((await convert(source, check, out)).code).toBe(1);
    expect(readFileSync(out, 'utf8')).toBe('what was there');
    const json = await convert(source, [...check, '--json'], out);
    expect(JSON.parse(json.stderr.trim().split('\n').at(-1) ?? '')).toMatchObject({ code: 'PARITY_STRAYS' });
    rmSync(out);
    expect(readdirSync(outputs)).toEqual(['model.onnx']);
  });

  test('accepts what a tolerance allows', async () => {
    const check = ['--check', samples('wrong.npz', wrong), '--tolerance', '0.5'];
    expect((await convert(source, check)).code).toBe(0);
  });

  test('finds the first layer that strays', async () => {
    const check = ['--check', samples('wrong.npz', wrong), '--bisect'];
    const { code, stderr } = await convert(source, check);
    expect(code).toBe(1);
    expect(stderr).toMatch(/The first of 2 layers that strays is 'scale': max\|Δ\|\/max\|y\| = 3\.6e-1/);
    expect(stderr).toMatch(/PARITY_STRAYS/);
    const fine = samples('layers.npz', { ...right, 'layers/scale': float32([1, 2], 4, 16) } as typeof right);
    const held = await convert(source, ['--check', fine, '--bisect', '--json']);
    expect(held.code).toBe(0);
    expect(JSON.parse(held.stdout).bisection.layers).toMatchObject([{ layer: 'scale', holds: true }]);
  });

  test('reads an archive, and leaves nothing of it behind', async () => {
    const archive = join(folder, 'source.tar.gz');
    writeFileSync(archive, gzipSync(tarOf([{ name: 'model/source.onnx', content: readFileSync(source) }])));
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    const { code } = await runCommand(['convert', archive, '--out', join(outputs, 'model.onnx')], {
      environment: { TMPDIR: temporary },
    });
    expect(code).toBe(0);
    // What Node's own loader of TypeScript caches is no model.
    expect(readdirSync(temporary).filter((name) => name.startsWith('cdk-onnx'))).toEqual([]);
  });

  test('converts the signature of a SavedModel that is named', async () => {
    const { code, stdout } = await convert(`${savedModelRecording('module')}.zip`, [
      '--signature',
      'other',
      '--check',
      `${savedModelRecording('module.other')}.parity.npz`,
    ]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/parity: /)]);
    expect((await convert(source, ['--signature', 'other'])).stderr).toMatch(/SIGNATURE_UNKNOWN: .* is ONNX/);
  });

  test.each([
    [['--bisect'], /USAGE: .*--bisect needs --check/],
    [['--tolerance', '1'], /USAGE: .*--tolerance needs --check/],
    [['--check', 'a.npz', '--tolerance', 'little'], /USAGE: --tolerance is 'little'/],
    [['--check', 'nowhere.npz'], /DATA_NOT_FOUND/],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await convert(source, flags, join(outputs, 'refused.onnx'));
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(existsSync(join(outputs, 'refused.onnx'))).toBe(false);
  });

  test('refuses an output that is no ONNX file, and a source that is none', async () => {
    expect((await convert(source, [], join(outputs, 'model.tflite'))).stderr).toMatch(/USAGE: --out/);
    const weights = join(import.meta.dirname, '../../node_modules/@vladmandic/face-api/model');
    const manifest = readdirSync(weights).find((name) => name.endsWith('manifest.json')) ?? '';
    const { code, stderr } = await convert(join(weights, manifest));
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/MODEL_FORMAT_UNSUPPORTED: .*weights without a model topology/),
    ]);
  });
});
