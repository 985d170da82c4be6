/** Weights that do not fit into the model's layer: fetched from S3 into /tmp, checked against the layer's manifest. */
import { copyFileSync, existsSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ArtifactFile } from '../../../lib/artifact/manifest.js';
import { ArtifactError, RuntimeError } from '../../../lib/errors.js';
import { log } from '../../log/log.js';
import type { Artifact } from '../artifact.js';
import { download } from './download.js';
import { DownloadProgress } from './download-progress.js';
import { readS3Object, type S3Object } from './s3-object.js';

/** Below the temporary folder; nothing else is kept there. */
const FOLDER = 'cdk-onnx';
const UNFINISHED = '.download';

/**
 * The artifact with a model that can be opened: as it is, unless `CDK_ONNX_WEIGHTS` says where in S3 the one file lies that its
 * manifest lists and its folder lacks. Then the model is opened in /tmp, beside that file. A file that an earlier initialization
 * left there whole is used again.
 *
 * @throws RuntimeError `MODEL_NOT_READY`, whose cause says why
 */
export async function withWeights(artifact: Artifact, environment: NodeJS.ProcessEnv): Promise<Artifact> {
  const uri = environment.CDK_ONNX_WEIGHTS;
  if (uri === undefined || uri === '') return artifact;
  const { manifest } = artifact;
  try {
    const weights = absentFile(artifact);
    const folder = join(tmpdir(), FOLDER, manifest.contentHash);
    await fetchWeights(readS3Object(uri, environment), weights, folder, manifest.name);
    copyBeside(artifact, weights, folder);
    return { ...artifact, modelPath: join(folder, manifest.model) };
  } catch (error) {
    const cause = storageError(error) ?? error;
    throw new RuntimeError({
      code: 'MODEL_NOT_READY',
      message: `The weights of the model ${manifest.name} could not be loaded.`,
      advice: "Look into the function's log; the next request tries again.",
      cause,
    });
  }
}

function absentFile({ folder, manifest }: Artifact): ArtifactFile {
  const absent = manifest.files.filter(({ path }) => !existsSync(join(folder, path)));
  const [file] = absent;
  if (file !== undefined && absent.length === 1) return file;
  throw new ArtifactError({
    code: 'WEIGHTS_AMBIGUOUS',
    message: `The artifact lacks ${absent.length} files of its manifest, and CDK_ONNX_WEIGHTS stands for one.`,
    advice: 'Deploy the function and its layer together, as InferenceFunction does.',
  });
}

async function fetchWeights(object: S3Object, weights: ArtifactFile, folder: string, model: string): Promise<void> {
  const target = join(folder, weights.path);
  // It got its name after its digest was checked.
  if (statSync(target, { throwIfNoEntry: false })?.size === weights.bytes) {
    log('INFO', 'weights found in the temporary folder', { model, bytes: weights.bytes });
    return;
  }
  // What an interrupted download or another model left would take the room.
  rmSync(dirname(folder), { recursive: true, force: true });
  mkdirSync(dirname(target), { recursive: true });
  checkRoom(dirname(target), weights.bytes);
  const unfinished = `${target}${UNFINISHED}`;
  const { open, rename } = await import('node:fs/promises');
  const file = await open(unfinished, 'w+');
  try {
    await downloadInto(file, object, weights, model);
    await file.close();
    await rename(unfinished, target);
  } catch (error) {
    await file.close();
    rmSync(unfinished, { force: true });
    throw error;
  }
}

async function downloadInto(file: FileHandle, object: S3Object, weights: ArtifactFile, model: string): Promise<void> {
  const { bytes, sha256 } = weights;
  await file.truncate(bytes);
  const progress = new DownloadProgress(model, bytes);
  const found = await download({
    object,
    bytes,
    file,
    onBytes: (count) => progress.add(count),
    onRetry: (reason) => progress.retry(reason),
  });
  if (found !== sha256) {
    throw new ArtifactError({
      code: 'WEIGHTS_DIGEST',
      message: `${object.uri} has the sha256 ${found}, and the manifest says ${sha256}: it was refused.`,
      advice:
        'The object was changed after the deployment. Delete it and deploy the stack again, which uploads it anew.',
    });
  }
  progress.done();
}

/** onnxruntime looks for external data beside the model. */
function copyBeside({ folder, manifest }: Artifact, weights: ArtifactFile, target: string): void {
  for (const { path, bytes } of manifest.files) {
    if (path === weights.path || dirname(path) !== dirname(manifest.model)) continue;
    const copy = join(target, path);
    if (statSync(copy, { throwIfNoEntry: false })?.size === bytes) continue;
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(join(folder, path), copy);
  }
}

function checkRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= bytes) return;
  throw storageFull(`${folder} has ${bavail * bsize} bytes left, and the weights take ${bytes}`);
}

function storageError(error: unknown): ArtifactError | undefined {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? storageFull('The temporary folder ran full', error) : undefined;
}

function storageFull(message: string, cause?: unknown): ArtifactError {
  return new ArtifactError({
    code: 'EPHEMERAL_STORAGE_FULL',
    message: `${message}.`,
    advice:
      "Give the function a larger ephemeralStorageSize than the weights' size, as InferenceFunction does by itself.",
    cause,
  });
}
