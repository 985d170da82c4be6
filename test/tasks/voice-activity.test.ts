import { describe, expect, it } from 'vitest';
import type { Signature } from '../../lib/artifact/manifest.js';
import type { VoiceActivityTask } from '../../lib/artifact/task.js';
import { createTaskPipeline } from '../../lib/tasks/task-pipeline.js';
import type { TensorFeeds } from '../../lib/tasks/tensors.js';
import { speechSegments } from '../../lib/tasks/voice-activity.js';
import { refusalOf } from '../support/refusal.js';
import { encodeWav } from '../support/wav-writer.js';

const task: VoiceActivityTask = {
  type: 'voice-activity',
  audio: {
    input: 'input',
    sampleRate: 16_000,
    window: 512,
    context: 64,
    sampleRateInput: 'sr',
    state: [{ input: 'state', output: 'stateN' }],
  },
  output: 'output',
};
const signature: Signature = {
  inputs: [
    { name: 'input', dataType: 'float32', shape: ['N', 'L'] },
    { name: 'state', dataType: 'float32', shape: [2, 'N', 128] },
    { name: 'sr', dataType: 'int64', shape: [] },
  ],
  outputs: [
    { name: 'output', dataType: 'float32', shape: ['N', 1] },
    { name: 'stateN', dataType: 'float32', shape: [2, 'N', 128] },
  ],
};

describe('voice activity', () => {
  it('runs window after window, with context and the state of the one before', async () => {
    const samples = Float32Array.from({ length: 1200 }, (_, index) => index / 4096);
    const prepared = await createTaskPipeline(task, signature)?.prepare(encodeWav(samples, { bits: 32, float: true }));
    const seen: TensorFeeds[] = [];
    let feeds: TensorFeeds | undefined = prepared?.feeds;
    for (let run = 1; feeds !== undefined; run++) {
      seen.push(feeds);
      feeds = prepared?.next?.({
        output: { shape: [1, 1], data: [run === 2 ? 0.9 : 0.1] },
        stateN: { shape: [2, 1, 128], data: new Float32Array(256).fill(run) },
      });
    }
    expect(seen.map(({ state }) => state?.data[0])).toEqual([0, 1, 2]);
    expect(seen[0]?.sr).toEqual({ dataType: 'int64', shape: [], data: BigInt64Array.of(16_000n) });
    const window = (index: number) => seen[index]?.input?.data as Float32Array;
    expect(seen[1]?.input?.shape).toEqual([1, 576]);
    expect([...window(0).subarray(0, 64)].every((sample) => sample === 0)).toBe(true);
    expect(window(0).subarray(64)).toEqual(samples.subarray(0, 512));
    expect(window(1)).toEqual(samples.subarray(448, 1024));
    expect(window(2).subarray(0, 240)).toEqual(samples.subarray(960));
    expect([...window(2).subarray(240)].every((sample) => sample === 0)).toBe(true);
    expect(prepared?.conclude({})).toEqual([]);
  });

  it('refuses a sound of more windows than it may run', async () => {
    const pipeline = createTaskPipeline(task, signature, { soundLimits: { maxWindows: 2 } });
    const prepare = async (count: number) => await pipeline?.prepare(encodeWav(new Float32Array(count)));
    expect((await prepare(1024))?.feeds.input?.shape).toEqual([1, 576]);
    expect(await refusalOf(() => prepare(1025))).toMatchObject({ status: 413, code: 'SOUND_TOO_LONG' });
  });

  it('joins windows to stretches', () => {
    const settings = { ...task, minSilence: 0.1, minSpeech: 0.09 };
    const probabilities = [0, 0.9, 0.8, 0.7, 0.1, 0.1, 0.9, 0, 0, 0, 0, 0.9, 0, 0, 0, 0];
    expect(speechSegments(settings, probabilities)).toEqual([
      { label: 'speech', score: expect.closeTo(3.5 / 6, 6), start: 0.032, end: 0.224 },
    ]);
    expect(speechSegments({ ...settings, minSpeech: 0 }, probabilities).map(({ start, end }) => [start, end])).toEqual([
      [0.032, 0.224],
      [0.352, 0.384],
    ]);
  });

  it.each([
    [{ ...task.audio, input: 'x' }, 'TASK_INPUT_MISSING'],
    [{ ...task.audio, state: [{ input: 'state', output: 'nothing' }] }, 'TASK_OUTPUT_MISSING'],
    [{ ...task.audio, state: [] }, 'TASK_INPUTS_UNFED'],
    [{ ...task.audio, sampleRateInput: 'state' }, 'TASK_INPUT_TYPE'],
  ])('refuses a model that it does not fit (%#)', async (audio, code) => {
    expect((await refusalOf(() => createTaskPipeline({ ...task, audio }, signature))).code).toBe(code);
  });
});
