/** The GPU variant as SageMaker hands it to Triton: one archive with one folder, which is the model, of its name. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Json, readableJson, sha256OfFile } from '../../../artifact/digest.js';
import type { Manifest } from '../../../artifact/manifest.js';
import {
  ARCHIVE_DESCRIPTION,
  ARCHIVE_SCHEMA_VERSION,
  beyondTriton,
  MODEL_ARCHIVE,
  NEWEST_TRITON,
  TRITON_FOLDER,
  TRITON_RELEASES,
  type TritonArchive,
} from '../../../artifact/triton.js';
import { ArtifactError } from '../../../errors.js';
import type { Model } from '../../ir/model.js';
import { type ModelConfigOptions, modelConfig } from './model-config.js';
import { printMessage } from './protobuf-text.js';
import { writeTarGz } from './stored-tar-gz.js';

export type ModelArchiveOptions = Omit<ModelConfigOptions, 'name'>;

/**
 * Packs what is in `folder` into its folder `triton`. Triton answers with the names of the folders that hold a model: those are the model's
 * name and version, so that its answers are those of the function.
 *
 * @throws ArtifactError GPU_OPSET, GPU_SIGNATURE, ARCHIVE_LIMIT
 */
export async function writeModelArchive(
  folder: string,
  model: Model,
  manifest: Manifest,
  options: ModelArchiveOptions,
): Promise<TritonArchive> {
  const { name, modelVersion, signature } = manifest;
  const opsets = Object.fromEntries([...model.opsetImports].sort(([a], [b]) => (a < b ? -1 : 1)));
  expectLoadable(name, { irVersion: model.irVersion, opsets });
  const config = modelConfig(signature, { ...options, name });

  const path = join(folder, TRITON_FOLDER, MODEL_ARCHIVE);
  await mkdir(join(folder, TRITON_FOLDER));
  await writeTarGz(path, [
    { name: `${name}/config.pbtxt`, content: Buffer.from(printMessage(config.text)) },
    ...manifest.files.map((file) => ({
      name: `${name}/${modelVersion}/${file.path}`,
      content: { path: join(folder, file.path) },
    })),
  ]);
  const archive: TritonArchive = {
    schemaVersion: ARCHIVE_SCHEMA_VERSION,
    name,
    modelVersion,
    precision: options.precision,
    maxBatchSize: config.maxBatchSize,
    tensorRt: options.tensorRt ?? false,
    irVersion: model.irVersion,
    opsets,
    sha256: await sha256OfFile(path),
    bytes: (await stat(path)).size,
  };
  await writeFile(join(folder, TRITON_FOLDER, ARCHIVE_DESCRIPTION), readableJson(archive as unknown as Json));
  return archive;
}

function expectLoadable(name: string, versions: Pick<TritonArchive, 'irVersion' | 'opsets'>): void {
  const beyond = beyondTriton(versions, NEWEST_TRITON);
  if (beyond.length === 0) return;
  const { onnxruntime } = TRITON_RELEASES[NEWEST_TRITON];
  throw new ArtifactError({
    code: 'GPU_OPSET',
    message: `Triton ${NEWEST_TRITON}, whose onnxruntime is ${onnxruntime}, cannot load '${name}': ${beyond.join('; ')}.`,
    advice: 'Export the model with an older opset, or leave "gpu" out of model.json.',
  });
}
