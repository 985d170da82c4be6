/** What callers of a model rely on, without its weights: what a router needs to put their requests into tensors for a GPU. */
import type { Manifest } from './manifest.js';

/** Beside it, in `assets`, are the files that the task names. */
export const MODEL_INTERFACE_FILE = 'interface.json';
/** Names the folder with both to a router. */
export const MODEL_INTERFACE_VARIABLE = 'CDK_ONNX_MODEL_INTERFACE';

/** The same for all models of one name, version, signature and task, whatever they have learnt. */
export type ModelInterface = Pick<Manifest, 'schemaVersion' | 'name' | 'modelVersion' | 'signature' | 'task'>;

export function modelInterface({ schemaVersion, name, modelVersion, signature, task }: Manifest): ModelInterface {
  return { schemaVersion, name, modelVersion, signature, task };
}
