import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Signature } from '../../../lib/artifact/manifest.js';
import type { TextClassificationTask } from '../../../lib/artifact/task.js';
import type { DataSet } from '../../../lib/compiler/data/data-set.js';
import { checkDisjoint } from '../../../lib/compiler/data/disjoint.js';
import { openDataSet } from '../../../lib/compiler/data/open-data-set.js';
import { splitDataSet, subset } from '../../../lib/compiler/data/subset.js';
import { syntheticDataSet } from '../../../lib/compiler/data/synthetic.js';
import { allOf, useDataFolder } from '../../support/data-folder.js';
import { writeNpy } from '../../support/numpy-writer.js';
import { refusalOf } from '../../support/refusal.js';

const folder = useDataFolder();

const task: TextClassificationTask = {
  type: 'text-classification',
  text: { tokenizer: { type: 'hash', vocabularySize: 100 }, ids: 'ids', maxLength: 4 },
  output: 'scores',
  labels: ['ham', 'spam'],
};
const signature: Signature = {
  inputs: [{ name: 'ids', dataType: 'int64', shape: [1, 4] }],
  outputs: [{ name: 'scores', dataType: 'float32', shape: [1, 2] }],
};
const floats: Signature = { inputs: [{ name: 'x', dataType: 'float32', shape: [1, 2] }], outputs: [] };

/** Every `n`th of the mails is spam. */
async function mails(count: number, n: number, file = 'mails.jsonl'): Promise<DataSet> {
  const lines = Array.from({ length: count }, (_, index) =>
    JSON.stringify({ text: `mail ${index}`, label: index % n === 0 ? 'spam' : 'ham' }),
  );
  folder.put(file, lines.join('\n'));
  return openDataSet(`${folder.path}/${file}`, { task, signature });
}

async function spamIn(data: DataSet): Promise<number> {
  return (await allOf(data.read())).filter(({ label }) => label?.kind === 'class' && label.index === 1).length;
}

describe('splitDataSet', () => {
  it('gives each part its share of each class', async () => {
    const set = await mails(200, 10);
    const [calibration, evaluation, holdout] = await splitDataSet(set, [0.2, 0.3, 0.5], 7);
    expect([calibration, evaluation, holdout].map(({ ids }) => ids.length)).toEqual([40, 60, 100]);
    expect(await Promise.all([calibration, evaluation, holdout].map(spamIn))).toEqual([4, 6, 10]);
    expect(new Set([calibration, evaluation, holdout].map(({ digest }) => digest)).size).toBe(3);
  });

  it('is the same for a seed and another for another', async () => {
    const set = await mails(50, 5);
    const split = async (seed: number) => (await splitDataSet(set, [0.5, 0.5], seed)).map(({ ids }) => ids);
    expect(await split(1)).toEqual(await split(1));
    expect(await split(1)).not.toEqual(await split(2));
  });

  it('never gives a sample to two parts, and all of them away where the shares are all', async () => {
    const set = syntheticDataSet(floats, { count: 37, seed: 1 });
    const shares = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(shares, fc.nat(), async (weights, seed) => {
        const sum = weights.reduce((total, weight) => total + weight, 0);
        const parts = await splitDataSet(
          set,
          weights.map((weight) => weight / sum),
          seed,
        );
        const ids = parts.flatMap((part) => part.ids);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids.length).toBe(37);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('keeps groups together where it is told to', async () => {
    for (const group of ['a', 'b', 'c', 'd']) {
      for (let index = 0; index < 5; index++) folder.put(`${group}/${index}.txt`, `text ${group} ${index}`);
    }
    const set = await openDataSet(folder.path, { task, signature });
    const parts = await splitDataSet(set, [0.5, 0.5], 1, { together: 'group' });
    const groups = parts.map(({ ids }) => [...new Set(ids.map((id) => id.split('/')[0]))]);
    expect(groups.map(({ length }) => length)).toEqual([2, 2]);
    expect(new Set(groups.flat()).size).toBe(4);
  });

  it('refuses shares that are none', async () => {
    const set = syntheticDataSet(floats, { count: 3, seed: 1 });
    for (const fractions of [[], [0], [0.6, 0.6], [Number.NaN]]) {
      expect((await refusalOf(() => splitDataSet(set, fractions, 1))).code).toBe('DATA_SPLIT_INVALID');
    }
  });
});

describe('subset', () => {
  it('is those samples and no others', async () => {
    const set = await mails(10, 2);
    const part = subset(set, ['mails.jsonl#7', 'mails.jsonl#2']);
    expect((await allOf(part.read())).map(({ id }) => id)).toEqual(['mails.jsonl#7', 'mails.jsonl#2']);
    expect(part.digest).not.toBe(set.digest);
    expect((await refusalOf(() => subset(set, ['mails.jsonl#10']))).code).toBe('DATA_ID_UNKNOWN');
    const madeUp = subset(syntheticDataSet(floats, { count: 3, seed: 1 }), ['synthetic#1']);
    expect([madeUp.isSynthetic, (await allOf(madeUp.read())).length]).toEqual([true, 1]);
  });
});

describe('checkDisjoint', () => {
  it('finds the same sample under another name', async () => {
    folder.put('one/a.txt', 'the same');
    folder.put('one/b.txt', 'only here');
    folder.put('two/c.txt', 'the same');
    const open = (path: string) => openDataSet(`${folder.path}/${path}`, { task, signature });
    const names = ['calibration', 'evaluation'] as const;
    const refusal = await refusalOf(async () => checkDisjoint(await open('one'), await open('two'), names));
    expect([refusal.code, refusal.message]).toEqual(['DATA_NOT_DISJOINT', expect.stringContaining('a.txt and c.txt')]);
    await checkDisjoint(await open('one/b.txt'), await open('two'), names);
  });

  it('finds the same row in another file', async () => {
    folder.put('one.npy', writeNpy([3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)));
    folder.put('two.npy', writeNpy([2, 2], Float32Array.of(7, 8, 3, 4)));
    folder.put('three.npy', writeNpy([2, 2], Float32Array.of(7, 8, 9, 10)));
    const open = (file: string) =>
      openDataSet(`${folder.path}/${file}`, { task: { type: 'tensor' }, signature: floats });
    const names = ['evaluation', 'holdout'] as const;
    const refusal = await refusalOf(async () => checkDisjoint(await open('one.npy'), await open('two.npy'), names));
    expect(refusal.message).toContain('one.npy#1 and two.npy#1');
    await checkDisjoint(await open('one.npy'), await open('three.npy'), names);
  });
});

describe('synthetic data', () => {
  it('says that it is, is the same for a seed, and differs from sample to sample', async () => {
    const make = (seed: number) => syntheticDataSet(floats, { count: 3, seed });
    expect(make(1).isSynthetic).toBe(true);
    const [first, again] = [await allOf(make(1).read()), await allOf(make(1).read())];
    expect(first).toEqual(again);
    expect(new Set(first.map(({ steps }) => steps[0]?.x?.data.join())).size).toBe(3);
    expect(make(1).digest).not.toBe(make(2).digest);
    expect(await allOf(make(1).read(['synthetic#2']))).toEqual(first.slice(2));
  });

  it('starts sequences at 0', async () => {
    const stateful: Signature = {
      ...floats,
      inputs: [...floats.inputs, { name: 'h', dataType: 'float32', shape: [2] }],
    };
    const [sample] = await allOf(syntheticDataSet(stateful, { count: 1, seed: 1, carried: { h: 'hn' } }).read());
    expect(sample?.steps[0]?.h?.data).toEqual(new Float32Array(2));
    expect(sample?.steps[0]?.x?.data).not.toEqual(new Float32Array(2));
  });

  it('is made in numbers that can be', async () => {
    for (const count of [0, -1, 1.5, Number.NaN]) {
      expect((await refusalOf(() => syntheticDataSet(floats, { count, seed: 1 }))).code).toBe('DATA_SPLIT_INVALID');
    }
  });
});
