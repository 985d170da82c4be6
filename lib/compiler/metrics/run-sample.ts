/** One sample through one session: a single run, or a sequence with its state carried along. */
import type { DataSet, Feeds, Sample } from '../data/data-set.js';
import type { RuntimeSession, RuntimeTensor } from '../runtime/session.js';
import type { Outputs } from './metric.js';

export interface SampleRun {
  /** Of every step; without those that only carry state, unless there are no others. */
  readonly outputs: Outputs;
  /** Wall time of all steps in the session, milliseconds. */
  readonly milliseconds: number;
}

/** @throws RuntimeError RUNTIME_RUN where a step lacks an input, or the model refuses it */
export async function runSample(
  session: RuntimeSession,
  sample: Sample,
  carried: DataSet['carried'],
): Promise<SampleRun> {
  const outputs: Feeds[] = [];
  let state: Record<string, RuntimeTensor> = {};
  let milliseconds = 0;
  for (const feeds of sample.steps) {
    const run = await session.run({ ...feeds, ...state });
    milliseconds += run.milliseconds;
    outputs.push(withoutState(run.outputs, carried));
    state = Object.fromEntries(
      Object.entries(carried).flatMap(([input, output]) => {
        const tensor = run.outputs[output];
        return tensor === undefined ? [] : [[input, tensor]];
      }),
    );
  }
  return { outputs, milliseconds };
}

function withoutState(outputs: Feeds, carried: DataSet['carried']): Feeds {
  const states = new Set(Object.values(carried));
  const rest = Object.entries(outputs).filter(([name]) => !states.has(name));
  return rest.length === 0 ? outputs : Object.fromEntries(rest);
}
