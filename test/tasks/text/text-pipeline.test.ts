import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Signature } from '../../../lib/artifact/manifest.js';
import type { TextClassificationTask, TextPreprocessing } from '../../../lib/artifact/task.js';
import { createTaskPipeline } from '../../../lib/tasks/task-pipeline.js';
import { fnv1a } from '../../../lib/tasks/text/hash-tokenizer.js';
import { createTextPipeline, textOf } from '../../../lib/tasks/text/text-pipeline.js';
import { refusalOf } from '../../support/refusal.js';

const signature: Signature = {
  inputs: [
    { name: 'ids', dataType: 'int64', shape: [1, 8] },
    { name: 'mask', dataType: 'float32', shape: [1, 8] },
  ],
  outputs: [{ name: 'scores', dataType: 'float32', shape: [1, 2] }],
};
const hash: TextPreprocessing = {
  tokenizer: { type: 'hash', vocabularySize: 1000, startId: 1, endId: 2 },
  ids: 'ids',
  mask: 'mask',
  maxLength: 8,
};
const id = (token: string) => 3 + (fnv1a(token) % 997);

function tokensOf(text: string, preprocessing = hash) {
  return createTextPipeline(preprocessing, signature, () => new Uint8Array(0)).prepare(text);
}

describe('the hash tokenizer', () => {
  it('hashes as others do', () => {
    // http://www.isthe.com/chongo/tech/comp/fnv/ and RFC 9923 give these.
    expect([fnv1a(''), fnv1a('a'), fnv1a('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });

  it('cuts words and marks, pads, and masks the padding', async () => {
    const { ids, mask } = await tokensOf('Hello, ﬁne WORLD');
    expect(ids).toEqual({
      dataType: 'int64',
      shape: [1, 8],
      data: BigInt64Array.from([1, id('hello'), id(','), id('fine'), id('world'), 2, 0, 0].map(BigInt)),
    });
    expect(mask?.data).toEqual(Float32Array.of(1, 1, 1, 1, 1, 1, 0, 0));
  });

  it('keeps the start of a longer text, with the end behind it', async () => {
    const { ids } = await tokensOf('a b c d e f g h i j k');
    expect([...(ids?.data ?? [])].map(Number)).toEqual([1, ...['a', 'b', 'c', 'd', 'e', 'f'].map(id), 2]);
  });

  it('makes no more of a text than it has where nothing is padded', async () => {
    const free: Signature = { ...signature, inputs: [{ name: 'ids', dataType: 'int64', shape: [1, 'tokens'] }] };
    const { tokenizer, ids, maxLength } = hash;
    const pipeline = createTextPipeline({ tokenizer, ids, maxLength, padding: 'none' }, free, () => new Uint8Array(0));
    expect((await pipeline.prepare('one two')).ids?.shape).toEqual([1, 4]);
  });

  it('gives any text ids of its vocabulary', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 100 }), async (text) => {
        const { ids } = await tokensOf(text);
        for (const number of ids?.data ?? []) expect(Number(number)).toBeLessThan(1000);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('a tokenizer.json', () => {
  const vocabulary = {
    '[PAD]': 0,
    '[UNK]': 1,
    '[CLS]': 2,
    '[SEP]': 3,
    good: 4,
    bad: 5,
    'un##': 6,
    '##known': 7,
    un: 8,
  };
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content, index) => ({
      id: index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: vocabulary,
    },
  };
  const file: TextPreprocessing = { ...hash, tokenizer: { type: 'tokenizer-json', file: 'tokenizer.json' } };
  const pipeline = createTextPipeline(file, signature, () => Buffer.from(JSON.stringify(json)));
  const idsOf = async (text: string) => [...((await pipeline.prepare(text)).ids?.data ?? [])].map(Number);

  it('is read by the library of its makers', async () => {
    expect(await idsOf('Good, unknown')).toEqual([2, 4, 1, 8, 7, 3, 0, 0]);
  });

  it('keeps special tokens when a text is cut', async () => {
    expect(await idsOf('good bad good bad good bad good bad')).toEqual([2, 4, 5, 4, 5, 4, 5, 3]);
  });

  it('reads no more of a text than fills the model, and the same as if it read all', async () => {
    const words = Array.from({ length: 60_000 }, (_, index) => (index % 3 === 0 ? 'good' : 'bad'));
    const [start, all] = [await idsOf(words.slice(0, 20).join(' ')), await idsOf(words.join(' '))];
    expect(all).toEqual(start);
    // Nothing for thousands of characters, and then a word.
    expect(await idsOf(`${' '.repeat(100_000)}good`)).toEqual([2, 4, 3, 0, 0, 0, 0, 0]);
    const long: TextPreprocessing = { ...file, maxLength: 4000, mask: 'mask' };
    const free: Signature = {
      ...signature,
      inputs: signature.inputs.map((input) => ({ ...input, shape: [1, 4000] })),
    };
    const wide = createTextPipeline(long, free, () => Buffer.from(JSON.stringify(json)));
    const ids = [...((await wide.prepare(words.join(' '))).ids?.data ?? [])].map(Number);
    expect(ids).toEqual([2, ...words.slice(0, 3998).map((word) => (word === 'good' ? 4 : 5)), 3]);
  });

  it('refuses a text that it makes nothing of', async () => {
    const bare = { ...json, post_processor: null };
    const wordless = createTextPipeline(file, signature, () => Buffer.from(JSON.stringify(bare)));
    expect(await refusalOf(() => wordless.prepare('\u0001'))).toMatchObject({ status: 400, code: 'TEXT_MISSING' });
    expect((await wordless.prepare('good')).ids?.data[0]).toBe(4n);
  });

  it('is refused where it is none', async () => {
    const broken = createTextPipeline(file, signature, () => Buffer.from('{'));
    expect((await refusalOf(() => broken.prepare('good'))).code).toBe('TOKENIZER_INVALID');
  });
});

describe('bodies', () => {
  const bytes = (text: string) => Buffer.from(text);

  it('are texts, or JSON with a text', () => {
    expect(textOf(bytes('so\ngood'))).toBe('so\ngood');
    expect(textOf(bytes('{ "text": "so good" }'), 'application/json')).toBe('so good');
    expect(textOf(bytes('{ "text": "so good" }'))).toBe('{ "text": "so good" }');
  });

  it.each([
    [bytes(' \n'), 'text/plain', 400, 'TEXT_MISSING'],
    [Uint8Array.of(0xff, 0xfe), 'text/plain', 400, 'TEXT_NOT_UTF8'],
    [bytes('{ "texts": 1 }'), 'application/json', 400, 'TEXT_JSON'],
    [bytes('{'), 'application/json', 400, 'TEXT_JSON'],
    [new Uint8Array(300_000).fill(65), 'text/plain', 413, 'TEXT_TOO_LARGE'],
  ])('are refused otherwise (%#)', async (body, type, status, code) => {
    expect(await refusalOf(() => textOf(body, type))).toMatchObject({ status, code });
  });
});

describe('a text classification', () => {
  const task: TextClassificationTask = {
    type: 'text-classification',
    text: hash,
    output: 'scores',
    labels: ['ham', 'spam'],
  };

  it('answers with labels, best first', async () => {
    const prepared = await createTaskPipeline(task, signature)?.prepare(Buffer.from('hello'), 'text/plain');
    expect(prepared?.conclude({ scores: { shape: [1, 2], data: [0.25, 0.75] } })).toEqual([
      { label: 'spam', score: 0.75 },
      { label: 'ham', score: 0.25 },
    ]);
  });

  it.each([
    [{ ...hash, ids: 'tokens' }, 'TASK_INPUT_MISSING'],
    [{ ...hash, maxLength: 9 }, 'TASK_INPUT_SHAPE'],
    [{ ...hash, ids: 'mask', mask: 'ids' }, 'TASK_INPUT_TYPE'],
    [{ tokenizer: hash.tokenizer, ids: 'ids', maxLength: 8 }, 'TASK_INPUTS_UNFED'],
  ])('refuses a model that it does not fit (%#)', async (text, code) => {
    expect((await refusalOf(() => createTaskPipeline({ ...task, text }, signature))).code).toBe(code);
  });
});
