import { cpSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Signature } from '../../../lib/artifact/manifest.js';
import type { ImageClassificationTask, Task } from '../../../lib/artifact/task.js';
import { openDataSet } from '../../../lib/compiler/data/open-data-set.js';
import { createTaskPipeline } from '../../../lib/tasks/task-pipeline.js';
import { allOf, useDataFolder } from '../../support/data-folder.js';
import { encodePng } from '../../support/png-encoder.js';
import { refusalOf } from '../../support/refusal.js';
import { samplePhoto } from '../../support/sample-photos.js';

const fixtures = join(import.meta.dirname, '../../fixtures/data');

const pair: Signature = {
  inputs: [
    { name: 'x', dataType: 'float32', shape: ['N', 4] },
    { name: 'state', dataType: 'float32', shape: [2, 'N'] },
  ],
  outputs: [{ name: 'y', dataType: 'float32', shape: ['N', 4] }],
};
const single: Signature = { inputs: [pair.inputs[0] as Signature['inputs'][0]], outputs: pair.outputs };
const tensorTask: Task = { type: 'tensor' };

const pictureTask: ImageClassificationTask = {
  type: 'image-classification',
  image: {
    input: 'picture',
    width: 8,
    height: 8,
    resize: 'stretch',
    layout: 'NCHW',
    channels: 'RGB',
    mean: [0, 0, 0],
    std: [255, 255, 255],
  },
  output: 'scores',
  labels: ['cat', 'dog'],
};
const pictureSignature: Signature = {
  inputs: [{ name: 'picture', dataType: 'float32', shape: [1, 3, 8, 8] }],
  outputs: [{ name: 'scores', dataType: 'float32', shape: [1, 2] }],
};

const folder = useDataFolder();
const { put } = folder;

function png(gray: number): Uint8Array {
  return encodePng({ width: 2, height: 2, depth: 8, colorType: 0, samples: [gray, gray, gray, gray] });
}

const row = (index: number) => [0, 1, 2, 3].map((at) => (index * 4 + at) / 8);

describe('NumPy files', () => {
  it('reads rows of an archive as samples, with labels, and a constant for all of them', async () => {
    const signature: Signature = {
      ...pair,
      inputs: [...pair.inputs, { name: 'sr', dataType: 'int64', shape: [] }],
    };
    const set = await openDataSet(join(fixtures, 'stored.npz'), {
      task: tensorTask,
      signature,
      classes: ['dog', 'cat', 'cañon'],
    });
    expect(set.ids).toEqual(['stored.npz#0', 'stored.npz#1', 'stored.npz#2']);
    const samples = await allOf(set.read());
    expect(samples[1]).toEqual({
      id: 'stored.npz#1',
      steps: [
        {
          x: { dataType: 'float32', dims: [1, 4], data: Float32Array.from(row(1)) },
          state: { dataType: 'float32', dims: [2, 1], data: Float32Array.of(2, 3) },
          sr: { dataType: 'int64', dims: [], data: BigInt64Array.of(16000n) },
        },
      ],
      label: { kind: 'class', index: 0 },
    });
    expect(samples.map(({ label }) => label)).toEqual([1, 0, 2].map((index) => ({ kind: 'class', index })));
  });

  it('reads compressed archives, in any order of the samples, with outputs as truth', async () => {
    const set = await openDataSet(join(fixtures, 'deflated.npz'), { task: tensorTask, signature: pair });
    const order = ['deflated.npz#2', 'deflated.npz#0', 'deflated.npz#1'];
    const samples = await allOf(set.read(order));
    expect(samples.map(({ id }) => id)).toEqual(order);
    expect(samples.map(({ steps }) => [...(steps[0]?.x?.data ?? [])])).toEqual([row(2), row(0), row(1)]);
    expect(samples[0]?.label).toEqual({
      kind: 'outputs',
      outputs: { y: { dataType: 'float32', dims: [1, 4], data: Float32Array.from(row(2), (value) => value * 2) } },
    });
  });

  it.each(['x.npy', 'big-endian.npy', 'half.npy', 'version-2.npy'])('reads %s', async (name) => {
    const set = await openDataSet(join(fixtures, name), { task: tensorTask, signature: single });
    const samples = await allOf(set.read());
    expect(samples.map(({ steps }) => steps[0]?.x)).toEqual(
      [0, 1, 2].map((index) => ({ dataType: 'float32', dims: [1, 4], data: Float32Array.from(row(index)) })),
    );
  });

  it('takes an array as one sample where the set is not stacked', async () => {
    const set = await openDataSet(join(fixtures, 'x.npy'), { task: tensorTask, signature: single, stacked: false });
    expect(set.ids).toEqual(['x.npy']);
    const [sample] = await allOf(set.read());
    expect(sample?.steps[0]?.x?.dims).toEqual([3, 4]);
  });

  it('reads names that look like drives', async () => {
    const signature = { ...single, inputs: [{ name: 'x:0', dataType: 'float32', shape: [null, 4] }] } as const;
    const set = await openDataSet(join(fixtures, 'drive-like-names.npz'), { task: tensorTask, signature });
    expect(set.ids).toHaveLength(3);
  });

  it('puts together the .npy files of a folder by input', async () => {
    put('scene/x.npy', '');
    cpSync(join(fixtures, 'x.npy'), join(folder.path, 'scene/x.npy'));
    cpSync(join(fixtures, 'x.npy'), join(folder.path, 'scene/state.npy'));
    const signature: Signature = {
      inputs: [single.inputs[0] as Signature['inputs'][0], { name: 'state', dataType: 'float32', shape: [null, 4] }],
      outputs: [],
    };
    const set = await openDataSet(folder.path, { task: tensorTask, signature });
    expect(set.ids).toEqual(['scene#0', 'scene#1', 'scene#2']);
    const [sample] = await allOf(set.read(['scene#2']));
    expect(sample?.steps[0]?.state?.data).toEqual(Float32Array.from(row(2)));
    expect(sample?.group).toBe('scene');
  });

  it.each([
    ['fortran.npy', 'DATA_VARIANT_UNSUPPORTED'],
    ['structured.npy', 'DATA_VARIANT_UNSUPPORTED'],
    ['object.npy', 'DATA_VARIANT_UNSUPPORTED'],
    ['drive-like-names.npz', 'DATA_ARRAY_UNKNOWN'],
    ['deflated.npz', 'DATA_ARRAY_UNKNOWN'],
  ])('refuses %s with %s', async (name, code) => {
    const refusal = await refusalOf(() => openDataSet(join(fixtures, name), { task: tensorTask, signature: single }));
    expect(refusal.code).toBe(code);
    expect(refusal.message).toContain(name);
  });

  it('refuses arrays of different numbers of samples, missing inputs, wrong shapes and wrong types', async () => {
    const open = (name: string, signature: Signature) => () =>
      openDataSet(join(fixtures, name), { task: tensorTask, signature });
    const shaped = (shape: number[]) => ({ ...single, inputs: [{ name: 'x', dataType: 'float32', shape }] }) as const;
    expect((await refusalOf(open('counts-differ.npz', pair))).code).toBe('DATA_COUNTS_DIFFER');
    const more = { ...pair, inputs: [...pair.inputs, { name: 'z', dataType: 'float32', shape: [1] }] } as const;
    expect((await refusalOf(open('deflated.npz', more))).code).toBe('DATA_INPUT_MISSING');
    expect((await refusalOf(open('x.npy', shaped([1, 5])))).code).toBe('DATA_INPUT_SHAPE');
    const integers = { ...single, inputs: [{ name: 'x', dataType: 'int64', shape: [1, 4] }] } as const;
    const set = await openDataSet(join(fixtures, 'x.npy'), { task: tensorTask, signature: integers });
    expect((await refusalOf(() => allOf(set.read()))).code).toBe('DATA_INPUT_TYPE');
  });
});

describe('pictures', () => {
  const options = { task: pictureTask, signature: pictureSignature };

  it('labels them by their first folder', async () => {
    put('cat/1.png', png(0));
    put('dog/deep/2.png', png(255));
    put('README.md', 'where they come from');
    const set = await openDataSet(folder.path, options);
    const samples = await allOf(set.read());
    expect(samples.map(({ id, label, group }) => ({ id, label, group }))).toEqual([
      { id: 'cat/1.png', label: { kind: 'class', index: 0 }, group: 'cat' },
      { id: 'dog/deep/2.png', label: { kind: 'class', index: 1 }, group: 'dog' },
    ]);
    expect(samples[1]?.steps[0]?.picture?.data.every((value) => Number(value) === 1)).toBe(true);
  });

  it('lets folders be groups where none is a class, and refuses where only some are', async () => {
    put('monday/1.png', png(0));
    put('tuesday/2.png', png(255));
    const samples = await allOf((await openDataSet(folder.path, options)).read());
    expect(samples.map(({ label, group }) => [label, group])).toEqual([
      [undefined, 'monday'],
      [undefined, 'tuesday'],
    ]);
    put('cat/3.png', png(7));
    expect((await refusalOf(() => openDataSet(folder.path, options))).code).toBe('DATA_LABEL_INVALID');
  });

  it('takes labels from labels.json', async () => {
    const box = { label: 'cat', x: 1, y: 2, width: 3, height: 4 };
    put('a.png', png(0));
    put('b.png', png(1));
    put('c.png', png(2));
    put('labels.json', JSON.stringify({ 'a.png': 'dog', 'b.png': 0, 'c.png': [box] }));
    const samples = await allOf((await openDataSet(folder.path, options)).read());
    expect(samples.map(({ label }) => label)).toEqual([
      { kind: 'class', index: 1 },
      { kind: 'class', index: 0 },
      { kind: 'boxes', boxes: [box] },
    ]);
  });

  it.each([
    ['{ "b.png": "dog" }', 'no file of the folder'],
    ['{ "a.png": "horse" }', 'none of the 2 classes'],
    ['{ "a.png": 2 }', 'none of the 2 classes'],
    ['{ "a.png": [{ "x": 1 }] }', 'not valid'],
    ['{', 'not JSON'],
  ])('refuses the labels %s', async (labels, message) => {
    put('a.png', png(0));
    put('labels.json', labels);
    const refusal = await refusalOf(async () => allOf((await openDataSet(folder.path, options)).read()));
    expect([refusal.code, refusal.message]).toEqual(['DATA_LABEL_INVALID', expect.stringContaining(message)]);
  });

  it('makes the tensors that the endpoint makes', async () => {
    const photo = samplePhoto('sample1.jpg');
    put('photo.jpg', photo);
    const [sample] = await allOf((await openDataSet(folder.path, options)).read());
    const prepared = await createTaskPipeline(pictureTask, pictureSignature)?.prepare(photo);
    expect(sample?.steps[0]?.picture?.data).toEqual(prepared?.feeds.picture?.data);
    expect(sample?.size?.width).toBeGreaterThan(100);
  });

  it('names the file that is damaged, with the code that the endpoint answers', async () => {
    put('photo.jpg', samplePhoto('sample1.jpg').subarray(0, 400));
    const set = await openDataSet(folder.path, options);
    const refusal = await refusalOf(() => allOf(set.read()));
    expect([refusal.code, refusal.message]).toEqual(['PICTURE_DAMAGED', expect.stringContaining('photo.jpg')]);
  });

  it('refuses pictures for a model without a task for them', async () => {
    put('a.png', png(0));
    const refusal = await refusalOf(() => openDataSet(folder.path, { task: tensorTask, signature: single }));
    expect(refusal.code).toBe('DATA_NEEDS_TASK');
  });

  it('changes its digest with every byte and name', async () => {
    put('a.png', png(0));
    const first = await openDataSet(folder.path, options);
    put('a.png', png(1));
    const second = await openDataSet(folder.path, options);
    put('b.png', png(1));
    rmSync(join(folder.path, 'a.png'));
    const third = await openDataSet(folder.path, options);
    expect(new Set([first.digest, second.digest, third.digest]).size).toBe(3);
    expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('folders', () => {
  it('refuses what is not there, empty, linked or of an unknown kind', async () => {
    const options = { task: pictureTask, signature: pictureSignature };
    const codeOf = async (path: string, settings = {}) =>
      (await refusalOf(() => openDataSet(path, { ...options, ...settings }))).code;
    expect(await codeOf(join(folder.path, 'nothing'))).toBe('DATA_NOT_FOUND');
    expect(await codeOf(folder.path)).toBe('DATA_EMPTY');
    put('a.png', png(0));
    put('b.png', png(0));
    expect(await codeOf(folder.path, { limits: { maxFiles: 1 } })).toBe('DATA_TOO_LARGE');
    put('c.bin', 'what is this');
    expect(await codeOf(folder.path)).toBe('DATA_FORMAT_UNKNOWN');
    rmSync(join(folder.path, 'c.bin'));
    symlinkSync('/etc/hostname', join(folder.path, 'd.txt'));
    expect(await codeOf(folder.path)).toBe('DATA_VARIANT_UNSUPPORTED');
  });
});
