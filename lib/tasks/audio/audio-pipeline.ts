/** The half of a task that all models of sounds share: a body in, one run's feeds a window out. */
import type { DataType, Signature, TensorSignature } from '../../artifact/manifest.js';
import type { AudioPreprocessing } from '../../artifact/task.js';
import { ConfigurationError } from '../../errors.js';
import { checkAllFed, checkInputShape, inputOf, integersAs } from '../model-input.js';
import { checkOutputs } from '../model-output.js';
import type { TensorFeed, TensorFeeds } from '../tensors.js';
import { resampleSound } from './resample-sound.js';
import { DEFAULT_SOUND_LIMITS, decodeWav, type SoundLimits } from './wav.js';

export const SOUND_MEDIA_TYPES = ['audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave'] as const;

/** Windows of one sound. Each is made when it is asked for: together they are as large as the sound, and far more of them where they are short. */
export interface SoundWindows {
  /** At least 1. */
  readonly count: number;
  /** The feeds of one, from 0, `starts` among them. */
  at(index: number): TensorFeeds;
}

export interface AudioPipeline {
  /** Inputs that take an output of the window before, by input. */
  readonly carried: Readonly<Record<string, string>>;
  /** What those inputs have in front of the first window: zeros. */
  readonly starts: TensorFeeds;
  /** @throws RequestError SOUND_… */
  windows(body: Uint8Array): SoundWindows;
}

/** @throws ConfigurationError when the task does not fit the model */
export function createAudioPipeline(
  audio: AudioPreprocessing,
  signature: Signature,
  limits: SoundLimits = {},
): AudioPipeline {
  const { maxSamples, maxWindows } = { ...DEFAULT_SOUND_LIMITS, ...limits };
  const { window, context = 0, state = [] } = audio;
  const input = inputOf(audio.input, ['float32'], signature);
  checkInputShape(input, [1, context + window]);
  const rate =
    audio.sampleRateInput === undefined ? undefined : inputOf(audio.sampleRateInput, ['int64', 'int32'], signature);
  const states = state.map(({ input: name }) => inputOf(name, ['float32', 'int64'], signature));
  const fedNames = [input, ...(rate === undefined ? [] : [rate]), ...states].map(({ name }) => name);
  checkAllFed(fedNames, signature);
  checkOutputs(
    state.map(({ output }) => output),
    signature,
  );
  const starts = Object.fromEntries(states.map((tensor) => [tensor.name, zeros(tensor)]));
  const constants: TensorFeeds = {
    ...(rate === undefined ? {} : { [rate.name]: scalar(rate, audio.sampleRate) }),
    ...starts,
  };
  return {
    carried: Object.fromEntries(state.map(({ input: name, output }) => [name, output])),
    starts,
    windows(body) {
      const heard = Math.min(maxSamples, maxWindows * window);
      const samples = resampleSound(decodeWav(body, { maxSamples }), audio.sampleRate, heard);
      return {
        count: Math.max(1, Math.ceil(samples.length / window)),
        at(index) {
          const data = new Float32Array(context + window);
          const first = index * window - context;
          const start = Math.max(0, first);
          data.set(samples.subarray(start, first + data.length), start - first);
          return { [input.name]: { dataType: input.dataType, shape: [1, data.length], data }, ...constants };
        },
      };
    },
  };
}

function zeros({ name, dataType, shape }: TensorSignature): TensorFeed {
  if (shape === null) {
    throw new ConfigurationError({
      code: 'TASK_INPUT_SHAPE',
      message: `Input ${name} carries a state and does not say of which shape.`,
      advice: 'Say it in model.json: `inputs: { "<name>": { "shape": […] } }`.',
    });
  }
  const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
  const count = sizes.reduce((product, size) => product * size, 1);
  return { dataType, shape: sizes, data: integersAs(dataType, new Array<number>(count).fill(0)) };
}

function scalar(
  { dataType, shape }: { readonly dataType: DataType; readonly shape: TensorSignature['shape'] },
  value: number,
) {
  return { dataType, shape: (shape ?? []).map(() => 1), data: integersAs(dataType, [value]) };
}
