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
]);

export const sessionSettingsSchema = z.strictObject({
  graphOptimizationLevel: z.enum(['disabled', 'basic', 'extended', 'all']).optional(),
  enableCpuMemArena: z.boolean().optional(),
  enableMemPattern: z.boolean().optional(),
  configEntries: z.record(z.string(), z.string()).optional(),
});
