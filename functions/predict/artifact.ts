import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_FILE, MANIFEST_SCHEMA_VERSION, type Manifest } from '../../lib/artifact/manifest.js';
import { ArtifactError, ConfigurationError } from '../../lib/errors.js';

/** Where the model's layer is unpacked. */
const MODELS_FOLDER = '/opt/models';

/** A model's folder and what its manifest says. */
export interface Artifact {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Path of the ONNX file. */
  readonly modelPath: string;
}

/**
 * The artifact in `CDK_ONNX_ARTIFACT`, else in the only folder of /opt/models.
 *
 * @throws ConfigurationError `ARTIFACT_NOT_CHOSEN`
 * @throws ArtifactError `MANIFEST_UNREADABLE`, `MANIFEST_VERSION_UNKNOWN`
 */
export function readArtifact(environment: NodeJS.ProcessEnv): Artifact {
  const folder = environment.CDK_ONNX_ARTIFACT || onlyFolder(MODELS_FOLDER);
  const manifest = readManifest(join(folder, MANIFEST_FILE));
  return { folder, manifest, modelPath: join(folder, manifest.model) };
}

function onlyFolder(parent: string): string {
  const folders = foldersOf(parent);
  const [folder] = folders;
  if (folder !== undefined && folders.length === 1) return join(parent, folder);
  throw new ConfigurationError({
    code: 'ARTIFACT_NOT_CHOSEN',
    message: `CDK_ONNX_ARTIFACT is not set, and ${parent} has ${folders.length} folders.`,
    advice: 'Set CDK_ONNX_ARTIFACT to the folder of the model, or add exactly one model layer.',
  });
}

function foldersOf(parent: string): string[] {
  try {
    return readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function readManifest(path: string): Manifest {
  let manifest: Manifest;
  try {
    // The build checked it against its schema, and the layer's digest covers it.
    manifest = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ArtifactError({
      code: 'MANIFEST_UNREADABLE',
      message: `${path} cannot be read as JSON.`,
      advice: 'Add the model layer to the function, or build the artifact again with `cdk-onnx build`.',
      cause,
    });
  }
  if (manifest.schemaVersion === MANIFEST_SCHEMA_VERSION) return manifest;
  throw new ArtifactError({
    code: 'MANIFEST_VERSION_UNKNOWN',
    message: `${path} has schemaVersion ${manifest.schemaVersion}, and this function reads ${MANIFEST_SCHEMA_VERSION}.`,
    advice: 'Build the artifact and the function with the same version of cdk-onnx.',
  });
}
