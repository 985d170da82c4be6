/** What the router's layer says of the model; requests that need it for a GPU are Lambda's alone without it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_SCHEMA_VERSION } from '../../lib/artifact/manifest.js';
import {
  MODEL_INTERFACE_FILE,
  MODEL_INTERFACE_VARIABLE,
  type ModelInterface,
} from '../../lib/artifact/model-interface.js';
import { ArtifactError } from '../../lib/errors.js';
import { errorDetails, log } from '../log/log.js';

export interface ServedInterface {
  /** With the task's files below it. */
  readonly folder: string;
  readonly description: ModelInterface;
}

/** Reads it when it is first asked for. What cannot be read costs no other request anything: the log says so, once. */
export function modelInterfaceOf(environment: NodeJS.ProcessEnv): () => ServedInterface | undefined {
  const folder = environment[MODEL_INTERFACE_VARIABLE];
  let isRead = false;
  let served: ServedInterface | undefined;
  return () => {
    if (folder && !isRead) {
      isRead = true;
      try {
        served = { folder, description: readModelInterface(join(folder, MODEL_INTERFACE_FILE)) };
      } catch (error) {
        log('ERROR', 'requests cannot be put into tensors for the GPU', errorDetails(error));
      }
    }
    return served;
  };
}

function readModelInterface(path: string): ModelInterface {
  let description: ModelInterface;
  try {
    // InferenceRouter wrote it from the manifest.
    description = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ArtifactError({
      code: 'MODEL_INTERFACE_UNREADABLE',
      message: `${path} cannot be read as JSON.`,
      advice: `Add the ModelInterfaceLayer to the router, or remove ${MODEL_INTERFACE_VARIABLE}.`,
      cause,
    });
  }
  if (description.schemaVersion === MANIFEST_SCHEMA_VERSION) return description;
  throw new ArtifactError({
    code: 'MANIFEST_VERSION_UNKNOWN',
    message: `${path} has schemaVersion ${description.schemaVersion}, and this function reads ${MANIFEST_SCHEMA_VERSION}.`,
    advice: 'Deploy the router and its layer with the same version of cdk-onnx.',
  });
}
