/** What a picture shows, best first. */
import type { Signature } from '../artifact/manifest.js';
import type { ImageClassificationTask } from '../artifact/task.js';
import { sigmoid } from './detection/candidate.js';
import { createImagePipeline, PICTURE_MEDIA_TYPES } from './image/image-pipeline.js';
import type { PictureLimits } from './image/picture.js';
import { checkOutputs, checkOutputTypes, numberAt, outputOf } from './model-output.js';
import type { ClassPrediction } from './prediction.js';
import type { TaskPipeline } from './task-pipeline.js';
import type { TensorOutputs } from './tensors.js';

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

/** Classes whose score is no number are left out. */
export function classPredictions(task: ImageClassificationTask, outputs: TensorOutputs): readonly ClassPrediction[] {
  const { labels, activation = 'none', top = 5 } = task;
  const output = outputOf(outputs, task.output, [labels.length]);
  const raw = labels.map((_, index) => numberAt(output, index));
  return activate(raw, activation)
    .map((score, index) => ({ label: labels[index] as string, score }))
    .filter(({ score }) => Number.isFinite(score))
    .sort((one, other) => other.score - one.score)
    .slice(0, top);
}

function activate(raw: readonly number[], activation: 'none' | 'softmax' | 'sigmoid'): readonly number[] {
  switch (activation) {
    case 'none':
      return raw;
    case 'sigmoid':
      return raw.map(sigmoid);
    case 'softmax': {
      const largest = raw.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
      const powers = raw.map((value) => Math.exp(value - largest));
      const sum = powers.reduce((one, other) => one + other, 0);
      return powers.map((power) => power / sum);
    }
  }
}
