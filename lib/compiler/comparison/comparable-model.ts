/** Anything that can be run and compared: a model file, an artifact, a model's folder. */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readArtifact } from '../../artifact/artifact-folder.js';
import { MANIFEST_FILE, type SessionSettings, type Task } from '../../artifact/manifest.js';
import { ConfigurationError } from '../../errors.js';
import { weightsOf } from '../ir/summary.js';
import { readModel } from '../readers/read-model.js';

export interface ComparableModel {
  /** As the caller named it. */
  readonly label: string;
  /** Of an ONNX file. */
  readonly path: string;
  readonly settings: SessionSettings;
  /** Of an artifact. */
  readonly task?: Task;
  /** Of the file, and of the external data that it names. */
  readonly bytes: number;
}

/**
 * A model file with onnxruntime's own settings, or an artifact with those of its manifest.
 * @throws ConfigurationError MODEL_TO_RUN; errors of the reader and of the artifact
 */
export async function comparableModel(given: string): Promise<ComparableModel> {
  const path = resolve(given);
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isFile() === true) {
    return { label: given, path, settings: {}, bytes: stats.size + (await externalBytes(path)) };
  }
  if (stats?.isDirectory() === true && (await readdir(path)).includes(MANIFEST_FILE)) {
    const manifest = await readArtifact(path);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    return { label: given, path: join(path, manifest.model), settings: manifest.session, task: manifest.task, bytes };
  }
  throw new ConfigurationError({
    code: 'MODEL_TO_RUN',
    message: `${given} is neither a model file nor an artifact.`,
    advice: 'Name an ONNX file, or a folder that `cdk-onnx build` wrote.',
  });
}

async function externalBytes(path: string): Promise<number> {
  const files = new Set<string>();
  for (const { tensor } of weightsOf(await readModel(path))) {
    if (tensor.storage.kind === 'external') files.add(tensor.storage.file);
  }
  const sizes = await Promise.all([...files].map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
