/** Small models with a task that reads texts or sounds, for what stands between a request and the model. */
import type { Signature } from '../../lib/artifact/manifest.js';
import type { TextClassificationTask, TextPreprocessing, VoiceActivityTask } from '../../lib/artifact/task.js';
import { attribute } from '../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { ModelBuilder, typed } from './model-builder.js';
import { randomFloats } from './random-numbers.js';

export interface TaskModel {
  readonly bytes: Uint8Array;
  readonly signature: Signature;
  readonly task: TextClassificationTask | VoiceActivityTask;
  /** What the task names, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

const VOCABULARY = 64;
const LABELS = ['ham', 'spam'] as const;
const TOKENS = 16;

export interface TextModelOptions {
  /** Default: by hash, between a start and an end. */
  readonly tokenizer?: TextPreprocessing['tokenizer'];
  /** Default 16. */
  readonly maxLength?: number;
  readonly files?: TaskModel['files'];
}

/** A text's first tokens are weighed for or against each class. */
export function textModel(options: TextModelOptions = {}): TaskModel {
  const { maxLength = TOKENS, files = {} } = options;
  const tokenizer = options.tokenizer ?? { type: 'hash', vocabularySize: VOCABULARY, startId: 1, endId: 2 };
  const builder = new ModelBuilder(17, 'texts');
  const ids = builder.input('ids', [1, maxLength], 'int64');
  const mask = builder.input('mask', [1, maxLength]);
  const weights = builder.floats(randomFloats(VOCABULARY * LABELS.length, 1), [VOCABULARY, LABELS.length]);
  const words = builder.add('Gather', [weights, ids]);
  const counted = builder.add('Mul', [words, builder.add('Unsqueeze', [mask, builder.int64([2])])]);
  const sums = builder.add('ReduceSum', [counted, builder.int64([1])], {
    attributes: { keepdims: attribute.int(0) },
  });
  const scores = builder.add('Softmax', [sums], { outputs: ['scores'] });
  return {
    bytes: modelToBytes(builder.finish([scores])),
    signature: {
      inputs: [
        { name: 'ids', dataType: 'int64', shape: [1, maxLength] },
        { name: 'mask', dataType: 'float32', shape: [1, maxLength] },
      ],
      outputs: [{ name: 'scores', dataType: 'float32', shape: [1, LABELS.length] }],
    },
    task: {
      type: 'text-classification',
      text: {
        tokenizer,
        ids: 'ids',
        mask: 'mask',
        maxLength,
      },
      output: 'scores',
      labels: LABELS,
    },
    files,
  };
}

/** With a tokenizer.json of two words, and so many tokens that all of a text may be read. */
export function wordModel(): TaskModel {
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    post_processor: null,
    decoder: null,
    model: {
      type: 'Unigram',
      unk_id: 0,
      vocab: [
        ['<unk>', 0],
        ['a', -1],
        ['▁', -1],
      ],
    },
  };
  return textModel({
    tokenizer: { type: 'tokenizer-json', file: 'tokenizer.json' },
    maxLength: 65_536,
    files: { 'tokenizer.json': JSON.stringify(tokenizer) },
  });
}

const WINDOW = 512;
const CONTEXT = 64;
/** Mean squares in a window that are as likely speech as not. */
const LOUD = 0.01;

/** Speech is what is loud; the state is the loudness of the windows before, half of it forgotten with each. */
export function soundModel(): TaskModel {
  const builder = new ModelBuilder(17, 'sounds');
  const window = builder.input('window', [1, CONTEXT + WINDOW]);
  const state = builder.input('state', [1, 1]);
  const loudness = builder.add('ReduceMean', [builder.add('Mul', [window, window])], {
    attributes: { axes: attribute.ints([1]) },
  });
  const half = builder.scalar(0.5);
  const next = builder.add('Add', [builder.add('Mul', [state, half]), builder.add('Mul', [loudness, half])], {
    outputs: ['next_state'],
  });
  const excess = builder.add('Mul', [builder.add('Sub', [next, builder.scalar(LOUD)]), builder.scalar(1 / LOUD)]);
  const speech = builder.add('Sigmoid', [excess], { outputs: ['speech'] });
  return {
    bytes: modelToBytes(builder.finish([speech, typed(next, 'float32')])),
    signature: {
      inputs: [
        { name: 'window', dataType: 'float32', shape: [1, CONTEXT + WINDOW] },
        { name: 'state', dataType: 'float32', shape: [1, 1] },
      ],
      outputs: [
        { name: 'speech', dataType: 'float32', shape: [1, 1] },
        { name: 'next_state', dataType: 'float32', shape: [1, 1] },
      ],
    },
    task: {
      type: 'voice-activity',
      audio: {
        input: 'window',
        sampleRate: 16_000,
        window: WINDOW,
        context: CONTEXT,
        state: [{ input: 'state', output: 'next_state' }],
      },
      output: 'speech',
    },
  };
}
