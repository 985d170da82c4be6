/** When somebody speaks in a sound. */
import type { Signature } from '../artifact/manifest.js';
import type { VoiceActivityTask } from '../artifact/task.js';
import { createAudioPipeline, SOUND_MEDIA_TYPES } from './audio/audio-pipeline.js';
import type { SoundLimits } from './audio/wav.js';
import { checkOutputs, checkOutputTypes, numberAt, outputOf } from './model-output.js';
import type { SpeechSegment } from './prediction.js';
import type { TaskPipeline } from './task-pipeline.js';
import type { TensorFeeds, TensorOutputs } from './tensors.js';

/** @throws ConfigurationError when the task does not fit the model's signature */
export function createVoiceActivity(task: VoiceActivityTask, signature: Signature, limits?: SoundLimits): TaskPipeline {
  const pipeline = createAudioPipeline(task.audio, signature, limits);
  checkOutputs([task.output], signature);
  checkOutputTypes([task.output], signature);
  return {
    accepts: SOUND_MEDIA_TYPES,
    warm: () => undefined,
    async prepare(body) {
      const windows = pipeline.windows(body);
      const probabilities: number[] = [];
      let index = 0;
      const hear = (outputs: TensorOutputs) => probabilities.push(numberAt(outputOf(outputs, task.output, [null]), 0));
      return {
        feeds: windows.at(0),
        next(outputs) {
          hear(outputs);
          index += 1;
          if (index >= windows.count) return undefined;
          const feeds = windows.at(index);
          return { ...feeds, ...stateFrom(outputs, pipeline.carried, feeds) };
        },
        conclude: () => speechSegments(task, probabilities),
      };
    },
  };
}

/** Outputs of one window as inputs of the next. */
function stateFrom(outputs: TensorOutputs, carried: Readonly<Record<string, string>>, feeds: TensorFeeds): TensorFeeds {
  return Object.fromEntries(
    Object.entries(carried).flatMap(([input, name]) => {
      const output = outputs[name];
      const feed = feeds[input];
      if (output === undefined || feed === undefined) return [];
      return [[input, { dataType: feed.dataType, shape: output.shape, data: output.data as typeof feed.data }]];
    }),
  );
}

/** Stretches of windows at or above the threshold; pauses that are too short are part of them, and stretches that are too short are none. */
export function speechSegments(
  { audio, threshold = 0.5, minSilence = 0.1, minSpeech = 0.25 }: VoiceActivityTask,
  probabilities: readonly number[],
): readonly SpeechSegment[] {
  const seconds = audio.window / audio.sampleRate;
  const stretches: { first: number; end: number }[] = [];
  for (const [index, probability] of probabilities.entries()) {
    if (!(probability >= threshold)) continue;
    const last = stretches.at(-1);
    if (last !== undefined && (index === last.end || (index - last.end) * seconds < minSilence)) last.end = index + 1;
    else stretches.push({ first: index, end: index + 1 });
  }
  return stretches
    .filter(({ first, end }) => (end - first) * seconds >= minSpeech)
    .map(({ first, end }) => ({
      label: 'speech',
      score: probabilities.slice(first, end).reduce((sum, probability) => sum + probability, 0) / (end - first),
      start: milliseconds(first * seconds),
      end: milliseconds(end * seconds),
    }));
}

/** Seconds without more digits than mean anything. */
const milliseconds = (seconds: number) => Math.round(seconds * 1000) / 1000;
