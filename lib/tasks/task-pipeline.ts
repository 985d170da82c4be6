/**
 * From what a person posts to a model's tensors, and from the model's answer to what a person reads. `decodePicture` needs the file
 * node_modules/@cwasm/jpeg-turbo/jpeg-turbo.wasm beside the bundle (image/jpeg-turbo.ts).
 */
import type { Signature, Task } from '../artifact/manifest.js';
import type { PictureLimits } from './image/picture.js';
import { createImageClassification } from './image-classification.js';
import { createObjectDetection } from './object-detection.js';
import type { Prediction } from './prediction.js';
import type { TensorFeeds, TensorOutputs } from './tensors.js';

export type { PictureLimits } from './image/picture.js';
export type { BoundingBox, ClassPrediction, DetectedObject, Point, Prediction } from './prediction.js';
export type { TensorFeed, TensorFeeds, TensorOutput, TensorOutputs } from './tensors.js';

/** One request's pass: the tensors to run the session with, and what makes predictions of its answer. */
export interface PreparedRequest {
  readonly feeds: TensorFeeds;
  /**
   * Give it the outputs of the session by their names.
   * @throws RuntimeError TASK_OUTPUT_SHAPE when the model answers otherwise than the task says
   */
  conclude(outputs: TensorOutputs): readonly Prediction[];
}

export interface TaskPipeline {
  /** The media types of bodies that `prepare` takes, for OpenAPI and for advice. The body's content decides, not its header. */
  readonly accepts: readonly string[];
  /** Loads what the first request would wait for; call it while the function starts. */
  warm(): void;
  /** @throws RequestError 400, 413 or 415 for what the body is */
  prepare(body: Uint8Array): Promise<PreparedRequest>;
}

export interface TaskPipelineOptions {
  readonly pictureLimits?: PictureLimits;
}

/**
 * `undefined` for the task `tensor`: it has no /predict route.
 * @throws ConfigurationError TASK_… when the task does not fit the model's signature
 */
export function createTaskPipeline(
  task: Task,
  signature: Signature,
  { pictureLimits }: TaskPipelineOptions = {},
): TaskPipeline | undefined {
  switch (task.type) {
    case 'tensor':
      return undefined;
    case 'object-detection':
      return createObjectDetection(task, signature, pictureLimits);
    case 'image-classification':
      return createImageClassification(task, signature, pictureLimits);
  }
}
