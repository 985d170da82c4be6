/** A prepared request through the model, as often as it asks for that. */
import type { PreparedRequest } from './task-pipeline.js';
import type { TensorFeeds, TensorOutputs } from './tensors.js';

/** The outputs of the last run, which `conclude` takes. */
export async function runPrepared(
  prepared: PreparedRequest,
  run: (feeds: TensorFeeds) => Promise<TensorOutputs>,
): Promise<TensorOutputs> {
  let outputs = await run(prepared.feeds);
  for (let next = prepared.next?.(outputs); next !== undefined; next = prepared.next?.(outputs)) {
    outputs = await run(next);
  }
  return outputs;
}
