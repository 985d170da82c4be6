/** The six models that are quantized, what they are judged by, and how small and fast they have to become. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '../../lib/artifact/task.js';
import { realModels } from '../../test/support/real-models.js';
import { faceScenes } from './data/faces.js';
import { fashion } from './data/fashion.js';
import { mails } from './data/mails.js';
import type { DataSource } from './data/sets.js';
import { speech } from './data/speech.js';
import { textLines } from './data/text-lines.js';
import { textPages } from './data/text-pages.js';

export interface BenchModel {
  readonly name: string;
  /** Path of the ONNX file. */
  readonly source: string;
  /** Further files that model.json names, copied beside it: their paths. */
  readonly files?: readonly string[];
  readonly data: DataSource;
  /** `inputs` of model.json. */
  readonly inputs?: Readonly<
    Record<string, { readonly value: number } | { readonly shape: readonly (number | null)[] }>
  >;
  readonly task: Task;
  /** Of labels where there are any, else of agreement with the original. */
  readonly metric: string;
  /** What `fp32` times and sizes are multiplied with. */
  readonly limits: { readonly size: number; readonly latency: number };
}

/** How much of the task metric may be lost: 1 %. */
export const MAXIMUM_LOSS = 0.01;
/** What no model may exceed, whatever is asked of it alone. */
export const LIMITS = { size: 0.5, latency: 1.03 };

const root = join(import.meta.dirname, '../..');
const fixture = (path: string) => join(root, 'test/fixtures', path);
const grayscale = { channels: 'grayscale', mean: [127.5], std: [127.5] } as const;

export const BENCH_MODELS: readonly BenchModel[] = [
  {
    name: 'face-detector',
    source: realModels.blazefaceBack,
    data: faceScenes,
    task: JSON.parse(readFileSync(join(root, 'models/faces/model.json'), 'utf8')).task,
    metric: 'map50',
    limits: { size: 0.4, latency: 1.03 },
  },
  {
    name: 'ocr-detector',
    source: realModels.ocrDetector,
    data: textPages,
    task: { type: 'tensor' },
    metric: 'iou',
    limits: { size: 0.3, latency: 0.8 },
  },
  {
    name: 'ocr-angle',
    source: realModels.ocrAngleClassifier,
    data: textLines,
    task: { type: 'tensor' },
    metric: 'agreement',
    limits: { size: 0.4, latency: 0.9 },
  },
  {
    name: 'silero',
    source: realModels.sileroV5,
    data: speech,
    inputs: { sr: { value: 16_000 } },
    task: {
      type: 'voice-activity',
      audio: {
        input: 'input',
        sampleRate: 16_000,
        window: 512,
        context: 64,
        state: [{ input: 'state', output: 'stateN' }],
      },
      output: 'output',
    },
    metric: 'agreement',
    limits: { size: 0.3, latency: 1.03 },
  },
  {
    name: 'fashion',
    source: fixture('fashion-classifier/model.onnx'),
    data: fashion,
    task: {
      type: 'image-classification',
      image: { input: 'image', width: 224, height: 224, resize: 'stretch', layout: 'NCHW', ...grayscale },
      output: 'logits',
      labels: [
        'T-shirt/top',
        'Trouser',
        'Pullover',
        'Dress',
        'Coat',
        'Sandal',
        'Shirt',
        'Sneaker',
        'Bag',
        'Ankle boot',
      ],
      activation: 'softmax',
    },
    metric: 'accuracy',
    limits: { size: 0.3, latency: 0.6 },
  },
  {
    name: 'spam',
    source: fixture('spam-classifier/model.onnx'),
    files: [fixture('spam-classifier/tokenizer.json')],
    data: mails,
    task: {
      type: 'text-classification',
      text: {
        tokenizer: { type: 'tokenizer-json', file: 'tokenizer.json' },
        ids: 'input_ids',
        mask: 'attention_mask',
        maxLength: 128,
      },
      output: 'logits',
      labels: ['ham', 'spam'],
      activation: 'softmax',
    },
    metric: 'accuracy',
    limits: { size: 0.3, latency: 0.6 },
  },
];
