/** What a text is about, best first. */
import type { Signature } from '../artifact/manifest.js';
import type { TextClassificationTask } from '../artifact/task.js';
import { classPredictions } from './class-predictions.js';
import { checkOutputs, checkOutputTypes } from './model-output.js';
import type { TaskPipeline } from './task-pipeline.js';
import { createTextPipeline, TEXT_MEDIA_TYPES, textOf } from './text/text-pipeline.js';
import type { ReadAsset } from './text/tokenizer.js';

/** @throws ConfigurationError when the task does not fit the model's signature */
export function createTextClassification(
  task: TextClassificationTask,
  signature: Signature,
  readAsset: ReadAsset,
): TaskPipeline {
  const pipeline = createTextPipeline(task.text, signature, readAsset);
  checkOutputs([task.output], signature);
  checkOutputTypes([task.output], signature);
  return {
    accepts: TEXT_MEDIA_TYPES,
    warm: pipeline.warm,
    async prepare(body, mediaType) {
      const feeds = await pipeline.prepare(textOf(body, mediaType));
      return { feeds, conclude: (outputs) => classPredictions(task, outputs) };
    },
  };
}
