/** The GPU variant alone: what a GPU's endpoint is built from, which reads no lock and has no use for what Lambda serves. */
import { resolve } from 'node:path';
import { ConfigurationError } from '../../errors.js';
import { openSession } from '../runtime/session.js';
import { readModelFolder } from './configuration.js';
import { settingsForReference } from './equivalence.js';
import { type GpuReport, writeGpuVariant } from './gpu-variant.js';
import { prepareFolder } from './prepare.js';
import { replaceFolder } from './replace-folder.js';

export interface GpuArtifactOptions {
  /** A folder with a model.json that has a `gpu` section. */
  readonly modelDirectory: string;
  /** Where the artifact goes; an artifact that is there is replaced when the new one is whole. */
  readonly outputDirectory: string;
  /** Told the name of each step as it begins. */
  readonly onStep?: (name: string) => void;
  /** Stops the build; nothing half-written is left. */
  readonly signal?: AbortSignal;
}

/** @throws ConfigurationError GPU_NOT_CONFIGURED; CdkOnnxError of every area */
export async function buildGpuArtifact(options: GpuArtifactOptions): Promise<GpuReport> {
  const { signal, onStep } = options;
  const during = signal === undefined ? {} : { signal };
  const folder = readModelFolder(options.modelDirectory);
  const { gpu } = folder.configuration;
  if (gpu === undefined) throw notConfigured(options.modelDirectory);
  await using prepared = await prepareFolder(folder, options);
  const { unfused, reference } = prepared;
  if (unfused === undefined) throw notConfigured(options.modelDirectory);
  return await replaceFolder(resolve(options.outputDirectory), async (output) => {
    signal?.throwIfAborted();
    onStep?.('writing the variant for a GPU');
    const settings = settingsForReference(prepared.passes);
    await using original = await openSession(reference.path, { settings, ...during });
    return await writeGpuVariant(prepared, unfused, { settings: gpu, folder: output, original, ...during });
  });
}

function notConfigured(modelDirectory: string): ConfigurationError {
  return new ConfigurationError({
    code: 'GPU_NOT_CONFIGURED',
    message: `model.json of ${modelDirectory} has no "gpu" section, so there is nothing to build for a GPU.`,
    advice: 'Add "gpu": { "precision": "fp16" }, or "fp32" for a model that half precision is too coarse for.',
  });
}
