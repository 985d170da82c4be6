/** zod's side of task.ts and of the session settings. */
import { z } from 'zod';

const name = z.string().min(1);
const size = z.int().min(1).max(65536);
const byte = z.number().min(0).max(255);

const image = z
  .strictObject({
    input: name,
    width: size,
    height: size,
    resize: z.enum(['letterbox', 'stretch', 'crop']),
    layout: z.enum(['NHWC', 'NCHW']),
    channels: z.enum(['RGB', 'BGR', 'grayscale']),
    mean: z.array(z.number()),
    std: z.array(z.number().refine((value) => value !== 0, 'must not be 0')),
    padValue: byte.optional(),
    background: z.tuple([byte, byte, byte]).optional(),
  })
  .refine((settings) => {
    const channels = settings.channels === 'grayscale' ? 1 : 3;
    return settings.mean.length === channels && settings.std.length === channels;
  }, 'mean and std need one number per channel');

const decoder = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('anchors'),
    featureMaps: z
      .array(
        z.strictObject({
          boxes: name,
          scores: name,
          rows: size,
          columns: size,
          anchorsPerCell: z.int().min(1).max(64),
        }),
      )
      .min(1),
    keypoints: z.int().min(0).max(1024).optional(),
  }),
  z.strictObject({ type: z.literal('yolo'), version: z.enum(['v5', 'v8']), output: name }),
  z.strictObject({
    type: z.literal('boxes'),
    boxes: name,
    scores: name,
    labels: name.optional(),
    order: z.enum(['xyxy', 'yxyx', 'xywh']),
    units: z.enum(['pixels', 'normalized']),
  }),
]);

const tokenId = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

const tokenizer = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('hash'),
      vocabularySize: z
        .int()
        .min(2)
        .max(2 ** 31 - 1),
      firstId: tokenId.optional(),
      startId: tokenId.optional(),
      endId: tokenId.optional(),
    })
    .refine(({ vocabularySize, firstId = 3 }) => firstId < vocabularySize, 'firstId must be below vocabularySize'),
  z.strictObject({
    type: z.literal('tokenizer-json'),
    file: name.refine(
      (path) => !path.startsWith('/') && !path.split(/[\\/]/).includes('..'),
      'must be relative and must not leave the folder',
    ),
  }),
]);

const text = z.strictObject({
  tokenizer,
  ids: name,
  mask: name.optional(),
  typeIds: name.optional(),
  maxLength: z.int().min(2).max(65_536),
  padding: z.enum(['max-length', 'none']).optional(),
  padId: tokenId.optional(),
});

const audio = z.strictObject({
  input: name,
  sampleRate: z.int().min(1000).max(768_000),
  window: z
    .int()
    .min(1)
    .max(2 ** 24),
  context: z
    .int()
    .min(0)
    .max(2 ** 24)
    .optional(),
  sampleRateInput: name.optional(),
  state: z.array(z.strictObject({ input: name, output: name })).optional(),
});

const share = z.number().min(0).max(1);

export const taskSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('tensor') }),
  z.strictObject({
    type: z.literal('object-detection'),
    image,
    decoder,
    labels: z.array(z.string()).min(1),
    scoreThreshold: share.optional(),
    iouThreshold: share.optional(),
    overlap: z.enum(['suppress', 'blend']).optional(),
    maxDetections: z.int().min(1).max(10_000).optional(),
  }),
  z.strictObject({
    type: z.literal('image-classification'),
    image,
    output: name,
    labels: z.array(z.string()).min(1),
    activation: z.enum(['none', 'softmax', 'sigmoid']).optional(),
    top: z.int().min(1).optional(),
  }),
  z.strictObject({
    type: z.literal('text-classification'),
    text,
    output: name,
    labels: z.array(z.string()).min(1),
    activation: z.enum(['none', 'softmax', 'sigmoid']).optional(),
    top: z.int().min(1).optional(),
  }),
  z.strictObject({
    type: z.literal('voice-activity'),
    audio,
    output: name,
    threshold: share.optional(),
    minSilence: z.number().min(0).max(3600).optional(),
    minSpeech: z.number().min(0).max(3600).optional(),
  }),
]);

export const sessionSettingsSchema = z.strictObject({
  graphOptimizationLevel: z.enum(['disabled', 'basic', 'extended', 'all']).optional(),
  enableCpuMemArena: z.boolean().optional(),
  enableMemPattern: z.boolean().optional(),
  configEntries: z.record(z.string(), z.string()).optional(),
});
