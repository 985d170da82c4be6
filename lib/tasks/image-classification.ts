/** What a picture shows, best first. */
import type { Signature } from '../artifact/manifest.js';
import type { ImageClassificationTask } from '../artifact/task.js';
import { classPredictions } from './class-predictions.js';
import { createImagePipeline, PICTURE_MEDIA_TYPES } from './image/image-pipeline.js';
import type { PictureLimits } from './image/picture.js';
import { checkOutputs, checkOutputTypes } from './model-output.js';
import type { TaskPipeline } from './task-pipeline.js';

/** @throws ConfigurationError when the task does not fit the model's signature */
export function createImageClassification(
  task: ImageClassificationTask,
  signature: Signature,
  limits?: PictureLimits,
): TaskPipeline {
  const pipeline = createImagePipeline(task.image, signature, limits);
  checkOutputs([task.output], signature);
  checkOutputTypes([task.output], signature);
  return {
    accepts: PICTURE_MEDIA_TYPES,
    warm: pipeline.warm,
    async prepare(body) {
      const { feeds } = pipeline.prepare(body);
      return { feeds, conclude: (outputs) => classPredictions(task, outputs) };
    },
  };
}
