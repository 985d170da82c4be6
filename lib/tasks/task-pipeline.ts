/**
 * From what a person posts to a model's tensors, and from the model's answer to what a person reads. `decodePicture` needs the file
 * node_modules/@cwasm/jpeg-turbo/jpeg-turbo.wasm beside the bundle (image/jpeg-turbo.ts).
 */
import type { Signature, Task } from '../artifact/manifest.js';
import { RuntimeError } from '../errors.js';
import { SOUND_MEDIA_TYPES } from './audio/audio-pipeline.js';
import type { SoundLimits } from './audio/wav.js';
import { PICTURE_MEDIA_TYPES } from './image/image-pipeline.js';
import type { PictureLimits } from './image/picture.js';
import { createImageClassification } from './image-classification.js';
import { createObjectDetection } from './object-detection.js';
import type { Prediction } from './prediction.js';
import type { TensorFeeds, TensorOutputs } from './tensors.js';
import { TEXT_MEDIA_TYPES } from './text/text-pipeline.js';
import type { ReadAsset } from './text/tokenizer.js';
import { createTextClassification } from './text-classification.js';
import { createVoiceActivity } from './voice-activity.js';

export type { SoundLimits } from './audio/wav.js';
export type { PictureLimits } from './image/picture.js';
export type { BoundingBox, ClassPrediction, DetectedObject, Point, Prediction, SpeechSegment } from './prediction.js';
export type { TensorFeed, TensorFeeds, TensorOutput, TensorOutputs } from './tensors.js';
export type { ReadAsset } from './text/tokenizer.js';

/** One request's pass: the tensors to run the session with, and what makes predictions of its answer. */
export interface PreparedRequest {
  readonly feeds: TensorFeeds;
  /** Of a sequence: the next run's tensors, made with the outputs of the run before; undefined after the last run. */
  next?(outputs: TensorOutputs): TensorFeeds | undefined;
  /**
   * Give it the outputs of the (last) run by their names.
   * @throws RuntimeError TASK_OUTPUT_SHAPE when the model answers otherwise than the task says
   */
  conclude(outputs: TensorOutputs): readonly Prediction[];
}

export interface TaskPipeline {
  /** The media types of bodies that `prepare` takes, for OpenAPI and for advice. The body's content decides, not its header. */
  readonly accepts: readonly string[];
  /** Loads what the first request would wait for; call it while the function starts. */
  warm(): void;
  /**
   * @param mediaType tells a text from a text in JSON. Default: the body is taken as it is.
   * @throws RequestError 400, 413 or 415 for what the body is
   */
  prepare(body: Uint8Array, mediaType?: string): Promise<PreparedRequest>;
}

export interface TaskPipelineOptions {
  readonly pictureLimits?: PictureLimits;
  readonly soundLimits?: SoundLimits;
  /** Reads a file that the task names. Default: there are none. */
  readonly readAsset?: ReadAsset;
}

/**
 * `undefined` for the task `tensor`: it has no /predict route.
 * @throws ConfigurationError TASK_… when the task does not fit the model's signature
 */
export function createTaskPipeline(
  task: Task,
  signature: Signature,
  { pictureLimits, soundLimits, readAsset = noAssets }: TaskPipelineOptions = {},
): TaskPipeline | undefined {
  switch (task.type) {
    case 'tensor':
      return undefined;
    case 'object-detection':
      return createObjectDetection(task, signature, pictureLimits);
    case 'image-classification':
      return createImageClassification(task, signature, pictureLimits);
    case 'text-classification':
      return createTextClassification(task, signature, readAsset);
    case 'voice-activity':
      return createVoiceActivity(task, signature, soundLimits);
  }
}

/** The media types of bodies that a model with this task takes at /predict; none for the task `tensor`. */
export function acceptedMediaTypes(task: Task): readonly string[] {
  switch (task.type) {
    case 'tensor':
      return [];
    case 'object-detection':
    case 'image-classification':
      return PICTURE_MEDIA_TYPES;
    case 'text-classification':
      return TEXT_MEDIA_TYPES;
    case 'voice-activity':
      return SOUND_MEDIA_TYPES;
  }
}

function noAssets(path: string): never {
  throw new RuntimeError({
    code: 'TASK_ASSET_MISSING',
    message: `The task names the file ${path}, and nothing says where it lies.`,
    advice: 'Build the artifact again with `cdk-onnx build`.',
  });
}
