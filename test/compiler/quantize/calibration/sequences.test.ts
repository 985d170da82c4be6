import { describe, expect, it } from 'vitest';
import type { Signature } from '../../../../lib/artifact/manifest.js';
import type { VoiceActivityTask } from '../../../../lib/artifact/task.js';
import { openDataSet } from '../../../../lib/compiler/data/open-data-set.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../../lib/compiler/passes/presets.js';
import { calibrate } from '../../../../lib/compiler/quantize/calibration/calibrate.js';
import { readModel } from '../../../../lib/compiler/readers/read-model.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { openSession, type RuntimeTensor } from '../../../../lib/compiler/runtime/session.js';
import { floatValues } from '../../../support/calibration-data.js';
import { useDataFolder } from '../../../support/data-folder.js';
import { randomFloats } from '../../../support/random-numbers.js';
import { realModels } from '../../../support/real-models.js';
import { encodeWav } from '../../../support/wav-writer.js';

const folder = useDataFolder();

const task: VoiceActivityTask = {
  type: 'voice-activity',
  audio: {
    input: 'input',
    sampleRate: 16_000,
    window: 512,
    context: 64,
    state: [{ input: 'state', output: 'stateN' }],
  },
  output: 'output',
};
const signature: Signature = {
  inputs: [
    { name: 'input', dataType: 'float32', shape: [null, null] },
    { name: 'state', dataType: 'float32', shape: [2, null, 128] },
  ],
  outputs: [
    { name: 'output', dataType: 'float32', shape: [null, 1] },
    { name: 'stateN', dataType: 'float32', shape: [null, null, null] },
  ],
};

async function silero() {
  const model = await readModel(realModels.sileroV5);
  await runPasses(model, normalize({ inputs: { sr: { value: 16_000 } } }));
  await inferTypes(model);
  await runPasses(model, lossless());
  await inferTypes(model);
  return model;
}

describe('a model that hears sounds window by window', () => {
  it('is calibrated with its state carried from window to window', async () => {
    const model = await silero();
    folder.put('a.wav', encodeWav(randomFloats(16_000, 1, -0.5, 0.5), { sampleRate: 16_000 }));
    folder.put('b.wav', encodeWav(randomFloats(4000, 2, -0.1, 0.1), { sampleRate: 8000 }));
    const data = await openDataSet(folder.path, { task, signature });
    const values = floatValues(model);
    expect(values.length).toBeGreaterThan(30);
    const calibration = await calibrate(model, data, { values });
    expect(calibration.refused).toEqual([]);

    await using session = await openSession(modelToBytes(model));
    const extremes = { output: [1, 0], stateN: [0, 0] };
    for await (const { steps } of data.read()) {
      let state: Readonly<Record<string, RuntimeTensor>> = {};
      for (const step of steps) {
        const { outputs } = await session.run({ ...step, ...state });
        for (const name of ['output', 'stateN'] as const) {
          for (const element of outputs[name]?.data ?? []) {
            const number = Number(element);
            extremes[name] = [Math.min(extremes[name][0] ?? 0, number), Math.max(extremes[name][1] ?? 0, number)];
          }
        }
        state = outputs.stateN === undefined ? {} : { state: outputs.stateN };
      }
    }
    for (const name of ['output', 'stateN'] as const) {
      const range = calibration.range(name, { kind: 'min-max' });
      expect(range?.min).toBeCloseTo(extremes[name][0] ?? Number.NaN, 5);
      expect(range?.max).toBeCloseTo(extremes[name][1] ?? Number.NaN, 5);
    }
  });
});
