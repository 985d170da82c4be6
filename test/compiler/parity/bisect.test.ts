import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { binary, unary } from '../../../lib/compiler/lowering/elementwise.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { bisect } from '../../../lib/compiler/parity/bisect.js';
import { float32, type RecordedArray, writeParityFile } from '../../support/parity-file.js';
import { refusalOf } from '../../support/refusal.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-bisect-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** scale: x · 2 + 1; encoder/square, of which the root is taken; twice: a layer that is called two times. */
function model(): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', { elementType: 'float32', shape: ['N', 2] });
  const scaled = builder.scope('scale', () =>
    binary(builder, 'Add', binary(builder, 'Mul', x, builder.scalar(2)), builder.scalar(1)),
  );
  const root = builder.scope('encoder', () => {
    const square = builder.scope('square', () => binary(builder, 'Mul', scaled, scaled));
    return builder.scope('root', () => unary(builder, 'Sqrt', square));
  });
  const once = builder.scope('twice', () => binary(builder, 'Mul', root, builder.scalar(3)));
  const again = builder.scope('twice', () => binary(builder, 'Mul', once, builder.scalar(3)));
  return builder.finish([{ name: 'y', value: again }]);
}

const RIGHT = {
  'inputs/x': float32([1, 2], 1, 2),
  'outputs/y': float32([1, 2], 27, 45),
  'layers/scale': float32([1, 2], 3, 5),
  'layers/encoder/square': float32([1, 2], 9, 25),
  'layers/encoder': float32([1, 2], 3, 5),
  'layers/dropout': float32([1, 2], 3, 5),
  'layers/twice': float32([1, 2], 27, 45),
};

let count = 0;
const run = (arrays: Record<string, RecordedArray>, of = model()) =>
  bisect(of, { samples: writeParityFile(join(folder, `${count++}.npz`), arrays), frozen: {} });

describe('layer by layer', () => {
  test('a conversion that is right has no layer that strays, in the order of the model', async () => {
    const found = await run(RIGHT);
    expect(found.first).toBeUndefined();
    expect(found.layers.map(({ layer, relativeError }) => [layer, relativeError])).toEqual([
      ['scale', 0],
      ['encoder/square', 0],
      ['encoder', 0],
      ['twice', 0],
    ]);
    expect(found.notFound).toEqual(['dropout']);
  });

  test('the first that strays is found, not those that only carry its fault on', async () => {
    const found = await run({
      ...RIGHT,
      'layers/encoder/square': float32([1, 2], 9, 26),
      'layers/encoder': float32([1, 2], 3, 5.099),
      'layers/twice': float32([1, 2], 27, 45.9),
    });
    expect(found.first).toMatchObject({
      layer: 'encoder/square',
      worst: { index: [0, 1], recorded: 26, computed: 25 },
    });
    expect(found.layers.filter(({ holds }) => !holds)).toHaveLength(3);
  });

  test('a layer of another shape strays, and says so', async () => {
    const found = await run({ ...RIGHT, 'layers/encoder': float32([2], 3, 5) });
    expect(found.first).toMatchObject({ layer: 'encoder', fault: expect.stringContaining('recorded as [2]') });
  });

  test('several samples go one by one where the model takes one', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: [1, 2] });
    const y = builder.scope('half', () => binary(builder, 'Mul', x, builder.scalar(0.5)));
    const found = await run(
      {
        'inputs/x': float32([2, 2], 1, 2, 3, 4),
        'outputs/y': float32([2, 2], 0.5, 1, 1.5, 2),
        'layers/half': float32([2, 2], 0.5, 1, 1.5, 2),
      },
      builder.finish([{ name: 'y', value: y }]),
    );
    expect(found.layers).toMatchObject([{ layer: 'half', relativeError: 0 }]);
  });

  test('the model is as before afterwards', async () => {
    const own = model();
    await run(RIGHT, own);
    expect(own.graph.outputs.map(({ name }) => name)).toEqual(['y']);
  });

  test('without layers, or with those of another model, it says what to record', async () => {
    const { 'inputs/x': x, 'outputs/y': y } = RIGHT;
    expect((await refusalOf(() => run({ 'inputs/x': x, 'outputs/y': y }))).code).toBe('PARITY_LAYERS_MISSING');
    const error = await refusalOf(() => run({ 'inputs/x': x, 'outputs/y': y, 'layers/conv_1': x }));
    expect(error).toMatchObject({ code: 'PARITY_LAYERS_MISSING', message: expect.stringContaining("'conv_1'") });
  });
});
