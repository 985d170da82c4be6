/** Anything that can be run and compared: a model, converted where it is no ONNX file, or an artifact. */
import { existsSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readArtifact } from '../../artifact/artifact-folder.js';
import { MANIFEST_FILE, type SessionSettings, type Task } from '../../artifact/manifest.js';
import { sourceBytes } from '../../artifact/source-content.js';
import { CdkOnnxError, ConfigurationError } from '../../errors.js';
import type { Model } from '../ir/model.js';
import { weightsOf } from '../ir/summary.js';
import { asModelFile } from '../metrics/model-file.js';
import { onnxReader } from '../readers/onnx.js';
import { openModel } from '../readers/read-model.js';

export interface ComparableModel {
  /** As the caller named it. */
  readonly label: string;
  /** Of an ONNX file. */
  readonly path: string;
  readonly settings: SessionSettings;
  /** Of an artifact. */
  readonly task?: Task;
  /** Of the model's files, and of the external data that they name. */
  readonly bytes: number;
}

/**
 * A model with onnxruntime's own settings, or an artifact with those of its manifest. A model that was converted or unpacked for it lies in a
 * temporary folder until it is disposed of.
 * @throws ConfigurationError MODEL_TO_RUN; errors of the reader and of the artifact
 */
export async function comparableModel(given: string): Promise<ComparableModel & AsyncDisposable> {
  const path = resolve(given);
  if (!existsSync(path)) {
    throw toRun(`There is no ${given}`);
  }
  if (existsSync(join(path, MANIFEST_FILE))) {
    const manifest = await readArtifact(path);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    const artifact = { path: join(path, manifest.model), settings: manifest.session, task: manifest.task, bytes };
    return { label: given, ...artifact, [Symbol.asyncDispose]: async () => undefined };
  }
  const opened = await openModel(path).catch((cause) => {
    if (!(cause instanceof CdkOnnxError) || cause.code !== 'MODEL_FORMAT_UNSUPPORTED' || statSync(path).isFile())
      throw cause;
    throw toRun(`${given} holds neither a model nor an artifact`, cause);
  });
  try {
    const isFile = opened.reader === onnxReader;
    const file = await asModelFile(isFile ? opened.path : opened.model);
    const dispose = async () => {
      await file[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    };
    const bytes = sourceBytes(path) + (isFile && !opened.isUnpacked ? await externalBytes(opened.model) : 0);
    return { label: given, path: file.path, settings: {}, bytes, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

function toRun(what: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError({
    code: 'MODEL_TO_RUN',
    message: `${what}.`,
    advice: 'Name a model, or a folder that `cdk-onnx build` wrote.',
    ...(cause === undefined ? {} : { cause }),
  });
}

async function externalBytes(model: Model): Promise<number> {
  const files = new Set<string>();
  for (const { tensor } of weightsOf(model)) {
    if (tensor.storage.kind === 'external') files.add(tensor.storage.file);
  }
  const sizes = await Promise.all([...files].map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
