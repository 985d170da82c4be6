/** Files as people post them, made into a model's tensors by the very code that the endpoint runs. */
import type { Signature } from '../../artifact/manifest.js';
import type { Task } from '../../artifact/task.js';
import type { TensorFeeds } from '../../tasks/tensors.js';
import type { ReadAsset } from '../../tasks/text/tokenizer.js';
import type { DataSet, Feeds } from './data-set.js';
import type { SampleContent } from './sample-file.js';

export interface TaskDecoder {
  /** Inputs that a sequence takes from the step before, and what the first step has. */
  readonly carried: DataSet['carried'];
  readonly starts: Feeds;
  /** Undefined where the task takes no pictures, sounds, texts. */
  readonly picture?: (bytes: Uint8Array) => Promise<SampleContent>;
  readonly sound?: (bytes: Uint8Array) => Promise<SampleContent>;
  readonly text?: (text: string) => Promise<SampleContent>;
}

/**
 * Pipelines are loaded where a task has them: together with their decoders they take a tenth of a second.
 * @throws ConfigurationError TASK_… where the task does not fit the signature
 */
export async function createTaskDecoder(task: Task, signature: Signature, readAsset: ReadAsset): Promise<TaskDecoder> {
  const none = { carried: {}, starts: {} };
  switch (task.type) {
    case 'tensor':
      return none;
    case 'object-detection':
    case 'image-classification': {
      const { createImagePipeline } = await import('../../tasks/image/image-pipeline.js');
      const pipeline = createImagePipeline(task.image, signature);
      return {
        ...none,
        async picture(bytes) {
          const { feeds, placement } = pipeline.prepare(bytes);
          return { steps: [runtimeFeeds(feeds)], size: { width: placement.photoWidth, height: placement.photoHeight } };
        },
      };
    }
    case 'text-classification': {
      const { createTextPipeline } = await import('../../tasks/text/text-pipeline.js');
      const pipeline = createTextPipeline(task.text, signature, readAsset);
      return { ...none, text: async (text) => ({ steps: [runtimeFeeds(await pipeline.prepare(text))] }) };
    }
    case 'voice-activity': {
      const { createAudioPipeline } = await import('../../tasks/audio/audio-pipeline.js');
      const pipeline = createAudioPipeline(task.audio, signature);
      return {
        carried: pipeline.carried,
        starts: runtimeFeeds(pipeline.starts),
        async sound(bytes) {
          const { count, at } = pipeline.windows(bytes);
          return { steps: Array.from({ length: count }, (_, index) => runtimeFeeds(at(index))) };
        },
      };
    }
  }
}

export function runtimeFeeds(feeds: TensorFeeds): Feeds {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dataType, shape, data }]) => [name, { dataType, dims: shape, data }]),
  );
}
