import { describe, expect, it } from 'vitest';
import type { Signature } from '../../../lib/artifact/manifest.js';
import type { Task, TextClassificationTask, VoiceActivityTask } from '../../../lib/artifact/task.js';
import { openDataSet } from '../../../lib/compiler/data/open-data-set.js';
import { fnv1a } from '../../../lib/tasks/text/hash-tokenizer.js';
import { allOf, useDataFolder } from '../../support/data-folder.js';
import { writeNpy } from '../../support/numpy-writer.js';
import { encodePng } from '../../support/png-encoder.js';
import { refusalOf } from '../../support/refusal.js';
import { encodeWav } from '../../support/wav-writer.js';

const folder = useDataFolder();

const textTask: TextClassificationTask = {
  type: 'text-classification',
  text: { tokenizer: { type: 'hash', vocabularySize: 100 }, ids: 'ids', maxLength: 4 },
  output: 'scores',
  labels: ['ham', 'spam'],
};
const textSignature: Signature = {
  inputs: [{ name: 'ids', dataType: 'int64', shape: [1, 4] }],
  outputs: [{ name: 'scores', dataType: 'float32', shape: [1, 2] }],
};
const ids = (...tokens: string[]) =>
  BigInt64Array.from([0, 1, 2, 3], (_, index) => {
    const token = tokens[index];
    return BigInt(token === undefined ? 0 : 3 + (fnv1a(token) % 97));
  });

describe('lines of JSON', () => {
  it('are texts with labels', async () => {
    folder.put('mails.jsonl', '{"text":"buy now","label":"spam"}\r\n\n  \n{"text":"hello","label":0}\n{"text":"who?"}');
    const set = await openDataSet(folder.path, { task: textTask, signature: textSignature });
    expect(set.ids).toEqual(['mails.jsonl#0', 'mails.jsonl#1', 'mails.jsonl#2']);
    const samples = await allOf(set.read());
    expect(samples.map(({ label }) => label)).toEqual([
      { kind: 'class', index: 1 },
      { kind: 'class', index: 0 },
      undefined,
    ]);
    expect(samples[0]?.steps[0]?.ids?.data).toEqual(ids('buy', 'now'));
    const [last] = await allOf(set.read(['mails.jsonl#2']));
    expect(last?.steps[0]?.ids?.data).toEqual(ids('who', '?'));
  });

  it('are tensors by input, and expected outputs', async () => {
    const signature: Signature = {
      inputs: [
        { name: 'x', dataType: 'float32', shape: [1, 2] },
        { name: 'n', dataType: 'int32', shape: [] },
      ],
      outputs: [{ name: 'y', dataType: 'bool', shape: [2] }],
    };
    const task: Task = { type: 'tensor' };
    folder.put('a.jsonl', '{"x":[1,2],"n":3}\n{"inputs":{"x":[[4,5]],"n":6},"outputs":{"y":[true,false]}}\n');
    const samples = await allOf((await openDataSet(folder.path, { task, signature })).read());
    expect(samples.map(({ steps }) => steps[0])).toEqual([
      {
        x: { dataType: 'float32', dims: [1, 2], data: Float32Array.of(1, 2) },
        n: { dataType: 'int32', dims: [], data: Int32Array.of(3) },
      },
      {
        x: { dataType: 'float32', dims: [1, 2], data: Float32Array.of(4, 5) },
        n: { dataType: 'int32', dims: [], data: Int32Array.of(6) },
      },
    ]);
    expect(samples[1]?.label).toEqual({
      kind: 'outputs',
      outputs: { y: { dataType: 'bool', dims: [2], data: Uint8Array.of(1, 0) } },
    });
  });

  it.each([
    ['{', 'DATA_DAMAGED'],
    ['[1]', 'DATA_DAMAGED'],
    ['{"text":"what"}', 'DATA_NEEDS_TASK'],
    ['{"y":[1,2]}', 'DATA_INPUT_MISSING'],
    ['{"x":[1,2,3]}', 'DATA_INPUT_SHAPE'],
    ['{"x":[[1],[2]]}', 'DATA_INPUT_SHAPE'],
    ['{"x":[[1,2],[3]]}', 'DATA_INPUT_SHAPE'],
    ['{"x":[1,[2]]}', 'DATA_INPUT_SHAPE'],
    [`{"x":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'DATA_INPUT_SHAPE'],
    ['{"x":[1,"2"]}', 'DATA_INPUT_TYPE'],
    ['{"x":[1,null]}', 'DATA_INPUT_TYPE'],
  ])('are refused by line: %s', async (line, code) => {
    folder.put('a.jsonl', `{"x":[1,2]}\n${line}\n`);
    const signature: Signature = { inputs: [{ name: 'x', dataType: 'float32', shape: [1, 2] }], outputs: [] };
    const set = await openDataSet(folder.path, { task: { type: 'tensor' }, signature });
    const refusal = await refusalOf(() => allOf(set.read()));
    expect([refusal.code, refusal.message]).toEqual([code, expect.stringContaining('line 2')]);
  });

  it('are refused where they are too long, before they are read', async () => {
    folder.put('a.jsonl', `{"text":"${'a'.repeat(2000)}"}\n`);
    const options = { task: textTask, signature: textSignature, limits: { maxFileBytes: 1000 } };
    expect((await refusalOf(() => openDataSet(folder.path, options))).code).toBe('DATA_TOO_LARGE');
  });
});

describe('texts', () => {
  it('are files, labelled by their folder', async () => {
    folder.put('spam/1.txt', 'Buy NOW');
    folder.put('ham/1.txt', 'hello');
    const samples = await allOf((await openDataSet(folder.path, { task: textTask, signature: textSignature })).read());
    expect(samples.map(({ id, label }) => [id, label])).toEqual([
      ['ham/1.txt', { kind: 'class', index: 0 }],
      ['spam/1.txt', { kind: 'class', index: 1 }],
    ]);
    expect(samples[1]?.steps[0]?.ids?.data).toEqual(ids('buy', 'now'));
  });

  it('are refused where they are not UTF-8', async () => {
    folder.put('1.txt', Uint8Array.of(0xff));
    const set = await openDataSet(folder.path, { task: textTask, signature: textSignature });
    expect((await refusalOf(() => allOf(set.read()))).code).toBe('DATA_DAMAGED');
  });

  it('take their tokenizer from the folder of model.json', async () => {
    folder.put('1.txt', 'hello');
    const text = { ...textTask.text, tokenizer: { type: 'tokenizer-json', file: 'tokenizer.json' } } as const;
    const options = { task: { ...textTask, text }, signature: textSignature };
    const without = await openDataSet(folder.path, options);
    expect((await refusalOf(() => allOf(without.read()))).code).toBe('TOKENIZER_INVALID');
  });
});

describe('sounds', () => {
  const task: VoiceActivityTask = {
    type: 'voice-activity',
    audio: { input: 'x', sampleRate: 16_000, window: 100, context: 10, state: [{ input: 'h', output: 'hn' }] },
    output: 'p',
  };
  const signature: Signature = {
    inputs: [
      { name: 'x', dataType: 'float32', shape: ['N', 110] },
      { name: 'h', dataType: 'float32', shape: ['N', 3] },
    ],
    outputs: [
      { name: 'p', dataType: 'float32', shape: ['N', 1] },
      { name: 'hn', dataType: 'float32', shape: ['N', 3] },
    ],
  };

  it('are sequences of windows whose state is carried', async () => {
    folder.put('a.wav', encodeWav(Float32Array.from({ length: 250 }, (_, index) => index / 512)));
    const set = await openDataSet(folder.path, { task, signature });
    expect(set.carried).toEqual({ h: 'hn' });
    const [sample] = await allOf(set.read());
    expect(sample?.steps).toHaveLength(3);
    expect(sample?.steps[0]?.h).toEqual({ dataType: 'float32', dims: [1, 3], data: new Float32Array(3) });
    expect(sample?.steps[1]?.x?.data[0]).toBe(90 / 512);
  });

  it('lie beside recorded windows, which may leave out the state', async () => {
    folder.put('a.wav', encodeWav(new Float32Array(100)));
    folder.put('recorded/x.npy', writeNpy([4, 110], new Float32Array(440).fill(0.5)));
    const set = await openDataSet(folder.path, { task, signature });
    expect(set.ids).toEqual(['a.wav', 'recorded/x.npy#0', 'recorded/x.npy#1', 'recorded/x.npy#2', 'recorded/x.npy#3']);
    const samples = await allOf(set.read());
    expect(samples[4]?.steps).toEqual([
      {
        x: { dataType: 'float32', dims: [1, 110], data: new Float32Array(110).fill(0.5) },
        h: { dataType: 'float32', dims: [1, 3], data: new Float32Array(3) },
      },
    ]);
  });

  it('name the file that is damaged', async () => {
    folder.put('a.wav', encodeWav(new Float32Array(100)).subarray(0, 60));
    const set = await openDataSet(folder.path, { task, signature });
    const refusal = await refusalOf(() => allOf(set.read()));
    expect([refusal.code, refusal.message]).toEqual(['SOUND_DAMAGED', expect.stringContaining('a.wav')]);
  });

  it('do not mix with pictures, which the task does not take', async () => {
    folder.put('a.wav', encodeWav(new Float32Array(100)));
    folder.put('b.png', encodePng({ width: 1, height: 1, depth: 8, colorType: 0, samples: [0] }));
    const refusal = await refusalOf(() => openDataSet(folder.path, { task, signature }));
    expect([refusal.code, refusal.message]).toEqual(['DATA_NEEDS_TASK', expect.stringContaining('b.png')]);
  });
});
