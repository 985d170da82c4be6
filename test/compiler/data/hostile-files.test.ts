/** Damaged files give data or an error with a code, in bounded time and memory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Signature } from '../../../lib/artifact/manifest.js';
import type { Task } from '../../../lib/artifact/task.js';
import { openDataSet } from '../../../lib/compiler/data/open-data-set.js';
import { CdkOnnxError } from '../../../lib/errors.js';
import { useDataFolder } from '../../support/data-folder.js';
import { writeNpy } from '../../support/numpy-writer.js';
import { encodePng } from '../../support/png-encoder.js';
import { refusalOf } from '../../support/refusal.js';
import { zipOf } from '../../support/zip-writer.js';

const folder = useDataFolder();
const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../../fixtures/data', name));

const arrays: Signature = {
  inputs: [
    { name: 'x', dataType: 'float32', shape: ['N', 4] },
    { name: 'state', dataType: 'float32', shape: [2, 'N'] },
  ],
  outputs: [{ name: 'y', dataType: 'float32', shape: ['N', 4] }],
};
const one: Signature = { inputs: arrays.inputs.slice(0, 1), outputs: [] };
const picture: Task = {
  type: 'image-classification',
  image: {
    input: 'x',
    width: 4,
    height: 4,
    resize: 'stretch',
    layout: 'NHWC',
    channels: 'RGB',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  },
  output: 'y',
  labels: ['cat'],
};
const pictures: Signature = {
  inputs: [{ name: 'x', dataType: 'float32', shape: [1, 4, 4, 3] }],
  outputs: [{ name: 'y', dataType: 'float32', shape: [1, 1] }],
};
const tensors: Task = { type: 'tensor' };

/** How many samples it holds, or the code of what was refused. Anything else fails the test. */
async function outcome(task: Task, signature: Signature): Promise<number | string> {
  try {
    const set = await openDataSet(folder.path, {
      task,
      signature,
      frozenInputs: ['sr'],
      limits: { maxSamples: 10_000 },
    });
    let count = 0;
    for await (const { steps } of set.read()) {
      count += steps.length;
      // A damaged shape may ask for many empty rows.
      if (count > 200) break;
    }
    return count;
  } catch (error) {
    if (error instanceof CdkOnnxError) return error.code;
    throw error;
  }
}

const png = encodePng({
  width: 3,
  height: 2,
  depth: 8,
  colorType: 2,
  samples: Array.from({ length: 18 }, (_, at) => at * 14),
});
const lines = Buffer.from('{"x":[1,2,3,4]}\n{"inputs":{"x":[[5,6,7,8]]},"label":1}\n');
const labels = Buffer.from('{"a.png":"cat","b.png":[{"label":"cat","x":1,"y":2,"width":3,"height":4}]}');

const cases = [
  ['x.npy', fixture('x.npy'), tensors, one],
  ['stored.npz', fixture('stored.npz'), tensors, arrays],
  ['deflated.npz', fixture('deflated.npz'), tensors, arrays],
  ['a.jsonl', lines, tensors, one],
  ['a.png', png, picture, pictures],
  ['labels.json', labels, picture, pictures],
] as const;

describe('damaged files', () => {
  it.each(cases)('give data or an error with a code: %s', async (name, bytes, task, signature) => {
    if (name === 'labels.json') for (const file of ['a.png', 'b.png']) folder.put(file, png);
    const seen = new Set<number | string>();
    const edits = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 });
    const length = fc.oneof({ weight: 4, arbitrary: fc.constant(bytes.length) }, fc.nat(bytes.length));
    await fc.assert(
      fc.asyncProperty(edits, length, async (list, end) => {
        const damaged = Uint8Array.from(bytes);
        for (const [at, byte] of list) damaged[at] = byte;
        folder.put(name, damaged.subarray(0, end));
        seen.add(await outcome(task, signature));
      }),
      { seed: 1, numRuns: 400 },
    );
    // Both happened, or the property says little.
    expect([...seen].some((result) => typeof result === 'number')).toBe(true);
    expect([...seen].some((result) => typeof result === 'string')).toBe(true);
  });

  it.each([
    ['a shape beyond memory', "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 4), }", 'DATA_DAMAGED'],
    [
      'a shape beyond numbers',
      "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999, 4), }",
      'DATA_TOO_LARGE',
    ],
    ['many dimensions', `{'descr': '<f4', 'fortran_order': False, 'shape': (${'1, '.repeat(99)}), }`, 'DATA_DAMAGED'],
    ['a Python object', "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 'DATA_VARIANT_UNSUPPORTED'],
    ['no dictionary', '__import__("os").system("true")', 'DATA_DAMAGED'],
  ])('refuse an array with %s', async (_, dictionary, code) => {
    const bytes = Buffer.concat([fixture('x.npy').subarray(0, 10), Buffer.from(`${dictionary.padEnd(117)}\n`)]);
    bytes.writeUInt16LE(bytes.length - 10, 8);
    folder.put('x.npy', bytes);
    expect(await outcome(tensors, one)).toBe(code);
  });

  it('refuse a sample that is too large before it is read', async () => {
    folder.put('x.npy', writeNpy([3, 4], new Float32Array(12)));
    const options = { task: tensors, signature: one, limits: { maxSampleBytes: 16 } };
    expect((await refusalOf(() => openDataSet(folder.path, options))).code).toBe('DATA_TOO_LARGE');
  });

  it('refuse more samples than are taken, before their ids are made', async () => {
    folder.put('x.npy', writeNpy([2 ** 21, 0], new Float32Array(0)));
    const empty: Signature = { inputs: [{ name: 'x', dataType: 'float32', shape: ['N', 0] }], outputs: [] };
    const refusal = await refusalOf(() => openDataSet(folder.path, { task: tensors, signature: empty }));
    expect(refusal.code).toBe('DATA_TOO_LARGE');
  });

  it('refuse an archive that claims more than it holds, or holds more than it claims', async () => {
    const array = writeNpy([2, 4], new Float32Array(8));
    const packed = deflateRawSync(array);
    const archive = (size: number) => zipOf([{ name: 'x.npy', packed, size, method: 8 }]);
    folder.put('a.npz', archive(array.length));
    expect(await outcome(tensors, one)).toBe(2);
    for (const size of [array.length + 1, array.length - 1, 2 ** 31]) {
      folder.put('a.npz', archive(size));
      expect(await outcome(tensors, one)).toBe('DATA_DAMAGED');
    }
  });

  it('never unpack more of a bomb than a sample', async () => {
    // 64 MiB of zeros in 64 KB.
    const array = writeNpy([2 ** 18, 64], new Float32Array(2 ** 24));
    const wide: Signature = { inputs: [{ name: 'x', dataType: 'float32', shape: ['N', 64] }], outputs: [] };
    folder.put('a.npz', zipOf([{ name: 'x.npy', packed: deflateRawSync(array), size: array.length, method: 8 }]));
    const set = await openDataSet(folder.path, { task: tensors, signature: wide });
    const before = process.memoryUsage().arrayBuffers;
    for await (const { id } of set.read([set.ids[0] ?? ''])) expect(id).toBe('a.npz#0');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });
});
