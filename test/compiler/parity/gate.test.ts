import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import type { Dimension } from '../../../lib/compiler/ir/value.js';
import { checkParity, type ParityOptions } from '../../../lib/compiler/parity/gate.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { float32, type RecordedArray, writeParityFile } from '../../support/parity-file.js';
import { refusalOf } from '../../support/refusal.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-parity-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** doubled = 2 · x, ratio = x / x, and the position of the largest element of each row. */
function modelFile(shape: readonly Dimension[] = ['N', 3]): string {
  const builder = new ModelBuilder(18);
  const x = builder.input('x', shape);
  const doubled = builder.add('Mul', [x, builder.scalar(2)], { outputs: ['doubled'] });
  const ratio = builder.add('Div', [x, x], { outputs: ['ratio'] });
  const largest = typed(
    builder.add('ArgMax', [x], {
      outputs: ['largest'],
      attributes: { axis: attribute.int(-1), keepdims: attribute.int(0) },
    }),
    'int64',
  );
  const path = join(folder, `${shape.join('-')}.onnx`);
  writeFileSync(path, modelToBytes(builder.finish([doubled, ratio, largest])));
  return path;
}

const X = float32([2, 3], 1, 2, 3, 6, 5, 4);
const DOUBLED = float32([2, 3], 2, 4, 6, 12, 10, 8);
const LARGEST: RecordedArray = { dims: [2], data: BigInt64Array.of(2n, 0n) };

let count = 0;
const samples = (arrays: Record<string, RecordedArray>) => writeParityFile(join(folder, `${count++}.npz`), arrays);
const check = (arrays: Record<string, RecordedArray>, options: Partial<ParityOptions> = {}, model = modelFile()) =>
  checkParity(model, { samples: samples(arrays), tolerance: undefined, ...options });

describe('a model that computes what was recorded', () => {
  test('passes, with its distance, its limit, and what was not compared', async () => {
    const report = await check({
      'inputs/x': X,
      'outputs/doubled': float32([2, 3], 2, 4, 6, 12.0001, 10, 8),
      'outputs/largest': LARGEST,
    });
    expect(report.outputs.map(({ output, tolerance }) => [output, tolerance])).toEqual([
      ['doubled', 1e-4],
      ['largest', 1e-4],
    ]);
    expect(report.outputs[0]?.relativeError).toBeCloseTo(1e-4 / 12, 7);
    expect(report.outputs[1]?.relativeError).toBe(0);
    expect(report.notes).toEqual(["not recorded, and not compared: 'ratio'"]);
    expect(report.description).toMatch(/^2 outputs are within 8\.\de-6 of what the source computed .* allowed 0\.0001/);
  });

  test('bit for bit', async () => {
    const report = await check({ 'inputs/x': X, 'outputs/doubled': DOUBLED });
    expect(report.description).toBe("output 'doubled' is equal to what the source computed, bit for bit");
  });

  test('with NaN and infinities where the source has them', async () => {
    const x = float32([1, 3], 0, 1, Number.POSITIVE_INFINITY);
    const report = await check({
      'inputs/x': x,
      'outputs/doubled': float32([1, 3], 0, 2, Number.POSITIVE_INFINITY),
      'outputs/ratio': float32([1, 3], Number.NaN, 1, Number.NaN),
    });
    expect(report.outputs.every(({ relativeError }) => relativeError === 0)).toBe(true);
  });

  test('recorded in other types of numbers of the same kind', async () => {
    const report = await check({
      'inputs/x': { dims: [2, 3], data: Float64Array.from(X.data as Float32Array) },
      'outputs/doubled': { dims: [2, 3], data: Float64Array.from(DOUBLED.data as Float32Array) },
      'outputs/largest': { dims: [2], data: Int32Array.of(2, 0) },
    });
    expect(report.outputs).toHaveLength(2);
  });

  test.each([
    ['x:0', 'doubled:0'],
    ['serving_default_x', 'doubled'],
  ])('recorded under the names %s and %s', async (input, output) => {
    const report = await check({ [`inputs/${input}`]: X, [`outputs/${output}`]: DOUBLED });
    expect(report.outputs[0]?.holds).toBe(true);
  });

  test.each<[string, readonly Dimension[], RecordedArray, RecordedArray]>([
    ['a batch for a model of one', [1, 3], X, DOUBLED],
    ['samples along an axis of their own', [1, 3], { ...X, dims: [2, 1, 3] }, { ...DOUBLED, dims: [2, 1, 3] }],
    ['samples without a batch', [3], X, DOUBLED],
    ['outputs without the batch of one', [1, 3], float32([1, 3], 1, 2, 3), float32([1, 3], 2, 4, 6)],
  ])('recorded as %s', async (_, shape, x, doubled) => {
    const report = await check({ 'inputs/x': x, 'outputs/doubled': doubled }, {}, modelFile(shape));
    expect(report.outputs[0]?.relativeError).toBe(0);
    expect(report.runs).toBe(x.dims.length === 2 && x.dims[0] === 1 ? 1 : 2);
  });

  test('which shows little where all elements are the same', async () => {
    const report = await check({ 'inputs/x': float32([1, 3], 1, 1, 1), 'outputs/doubled': float32([1, 3], 2, 2, 2) });
    expect(report.notes[1]).toMatch(/same number in every element, which shows little: 'doubled'/);
  });
});

describe('a model that strays is refused', () => {
  test('by the first output that does, with the worst element', async () => {
    const error = await refusalOf(() =>
      check({
        'inputs/x': X,
        'outputs/doubled': float32([2, 3], 2, 4, 6, 12, 10.5, 8),
        'outputs/ratio': float32([2, 3], 2, 1, 1, 1, 1, 1),
      }),
    );
    expect(error.code).toBe('PARITY_STRAYS');
    expect(error.message).toMatch(
      /Output 'doubled' strays .*max\|Δ\|\/max\|y\| = 4\.2e-2, allowed 0\.0001; at \[1, 1\] it is 10 and should be 10\.5\. 2 of 2 outputs stray\./,
    );
  });

  test('unless it may stray that far, all outputs or one', async () => {
    const arrays = { 'inputs/x': X, 'outputs/doubled': float32([2, 3], 2, 4, 6, 12, 10.5, 8) };
    expect((await check(arrays, { tolerance: 0.05 })).outputs[0]?.holds).toBe(true);
    expect((await check(arrays, { tolerance: { doubled: 0.05 } })).outputs[0]?.holds).toBe(true);
    expect((await refusalOf(() => check(arrays, { tolerance: { ratio: 0.05 } }))).code).toBe('PARITY_STRAYS');
  });

  test.each([
    ['NaN where the source has a number', float32([1, 3], 0, 1, 2), float32([1, 3], 7, 1, 1), 'ratio'],
    ['a number where the source has NaN', float32([1, 3], 1, 1, 2), float32([1, 3], Number.NaN, 1, 1), 'ratio'],
    [
      'the other infinity',
      float32([1, 3], 1, Number.POSITIVE_INFINITY, 0),
      float32([1, 3], 2, Number.NEGATIVE_INFINITY, 0),
      'doubled',
    ],
  ])('for %s, whatever its tolerance', async (_, x, y, output) => {
    const error = await refusalOf(() => check({ 'inputs/x': x, [`outputs/${output}`]: y }, { tolerance: 1e9 }));
    expect(error.message).toContain('infinite');
  });

  test('for another integer', async () => {
    const wrong = { dims: [2], data: BigInt64Array.of(2n, 1n) };
    expect((await refusalOf(() => check({ 'inputs/x': X, 'outputs/largest': wrong }))).code).toBe('PARITY_STRAYS');
  });

  test('and told whether it was so before any rewrite', async () => {
    const arrays = { 'inputs/x': X, 'outputs/doubled': float32([2, 3], 3, 6, 9, 18, 15, 12) };
    const own = await refusalOf(() => check(arrays, { reference: modelFile() }));
    expect(own.message).toContain('So it did before any rewrite.');
    const builder = new ModelBuilder(18);
    const x = builder.input('x', ['N', 3]);
    const right = join(folder, 'right.onnx');
    writeFileSync(
      right,
      modelToBytes(builder.finish([builder.add('Mul', [x, builder.scalar(3)], { outputs: ['doubled'] })])),
    );
    const ours = await refusalOf(() => check(arrays, { reference: right }));
    expect(ours.message).toContain('a rewrite of cdk-onnx is at fault');
  });
});

describe('samples that do not fit the model are explained', () => {
  const doubled = { 'outputs/doubled': DOUBLED };
  test.each<[string, Record<string, RecordedArray>, RegExp]>([
    ['PARITY_INPUT_MISSING', doubled, /no array inputs\/x/],
    ['PARITY_INPUT_UNKNOWN', { ...doubled, 'inputs/x': X, 'inputs/z': X }, /lacks: 'z' \(it has 'x'\)/],
    [
      'PARITY_OUTPUT_UNKNOWN',
      { 'inputs/x': X, ...doubled, 'outputs/tripled': DOUBLED },
      /lacks: 'tripled' \(it has 'doubled', 'ratio', 'largest'\)/,
    ],
    ['PARITY_ARRAY_UNKNOWN', { x: X, ...doubled }, /array 'x', which is none of/],
    ['PARITY_EMPTY', { 'inputs/x': X }, /nothing to compare/],
    ['PARITY_SHAPE', { ...doubled, 'inputs/x': { ...X, dims: [3, 2] } }, /is \[3, 2\], and the model takes \[N, 3\]/],
    [
      'PARITY_SHAPE',
      { 'inputs/x': X, 'outputs/doubled': { ...DOUBLED, dims: [6] } },
      /recorded as \[6\], and the model computes \[2, 3\]/,
    ],
    [
      'PARITY_TYPE',
      { 'inputs/x': X, 'outputs/largest': float32([2], 2, 0) },
      /recorded as float32, and the model computes int64/,
    ],
  ])('%s', async (code, arrays, message) => {
    const error = await refusalOf(() => check(arrays));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error.advice).toMatch(/\w/);
  });

  test('by where they should lie', async () => {
    const missing = await refusalOf(() =>
      checkParity(modelFile(), { samples: join(folder, 'nowhere.npz'), tolerance: undefined }),
    );
    expect(missing).toMatchObject({ code: 'DATA_NOT_FOUND', message: expect.stringContaining('nowhere.npz') });
    writeFileSync(join(folder, 'text.npz'), 'no archive at all, but long enough to look for the end of one');
    const damaged = await refusalOf(() =>
      checkParity(modelFile(), { samples: join(folder, 'text.npz'), tolerance: undefined }),
    );
    expect(damaged.code).toBe('DATA_DAMAGED');
  });

  test('by a value that model.json freezes otherwise', async () => {
    const frozen = { rate: { dataType: 'int64' as const, dims: [], data: BigInt64Array.of(16_000n) } };
    const rate = (value: bigint) => ({
      'inputs/x': X,
      ...doubled,
      'inputs/rate': { dims: [], data: BigInt64Array.of(value) },
    });
    expect((await check(rate(16_000n), { frozen })).outputs[0]?.holds).toBe(true);
    expect((await refusalOf(() => check(rate(8_000n), { frozen }))).code).toBe('PARITY_FROZEN');
  });
});
