/** The same model for a GPU, as an artifact of its own: from the graph before quantization and fusion, which serve a CPU. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeManifest } from '../../artifact/artifact-folder.js';
import { MANIFEST_SCHEMA_VERSION, type Manifest, type SessionSettings } from '../../artifact/manifest.js';
import { onnxruntimeVersion } from '../../artifact/onnxruntime-package.js';
import type { ModelConfiguration } from '../../artifact/schema.js';
import type { TritonArchive } from '../../artifact/triton.js';
import { ArtifactError } from '../../errors.js';
import type { Model } from '../ir/model.js';
import { writeModel } from '../ir/serialization/write.js';
import { validate } from '../ir/validation.js';
import { computeFloat16 } from '../passes/compute-float16.js';
import { withRounding } from '../passes/half-precision/with-rounding.js';
import { keepPaddingApart } from '../passes/keep-padding-apart.js';
import { type PassesResult, runPasses } from '../passes/pass.js';
import { recipes } from '../passes/presets.js';
import { openSession, type RuntimeSession } from '../runtime/session.js';
import { compareWithSource, type Equivalence } from './equivalence.js';
import { feedOf } from './feeds.js';
import { type PreparedModel, referenceText } from './prepare.js';
import { signatureOf } from './signature.js';
import { writeModelArchive } from './triton/model-archive.js';

export interface GpuReport {
  readonly precision: 'fp32' | 'fp16';
  /** Of the artifact in the folder `gpu`; no part of the one around it. */
  readonly manifest: Manifest;
  /** Nodes that stay in single precision, with the reason. */
  readonly declined: PassesResult['declined'];
  /** On this machine's CPU, rounded to float16 between operators as on a GPU, and not inside of them. */
  readonly equivalence: Equivalence;
  /** The same, packed for Triton. */
  readonly archive: TritonArchive;
}

/** The section of model.json. */
type GpuSettings = NonNullable<ModelConfiguration['gpu']>;

export interface GpuVariantOptions {
  readonly settings: GpuSettings;
  /** What becomes the artifact: an empty folder. */
  readonly folder: string;
  /** The source, to compare with. */
  readonly original: RuntimeSession;
  readonly signal?: AbortSignal;
}

const EXTERNAL_DATA = { file: 'model.onnx.data', minimumBytes: 1024 } as const;
const SESSION: SessionSettings = { graphOptimizationLevel: 'all' };

/**
 * @param model `unfused` of the prepared model, which it rewrites
 * @throws ArtifactError GPU_PRECISION where half precision overflows on made-up inputs; GPU_OPSET, GPU_SIGNATURE where Triton cannot serve it
 */
export async function writeGpuVariant(
  { configuration, frozen, reference }: PreparedModel,
  model: Model,
  { settings, folder, original, signal }: GpuVariantOptions,
): Promise<GpuReport> {
  const { precision } = settings;
  const passes = [
    ...(precision === 'fp16' ? [computeFloat16()] : []),
    keepPaddingApart(),
    ...recipes({ ...configuration, weights: 'fp32' }),
  ];
  const { declined } = await runPasses(model, passes);
  validate(model);
  const path = join(folder, 'model.onnx');
  await writeModel(model, path, { externalData: EXTERNAL_DATA });

  const during = signal === undefined ? {} : { signal };
  await using built = await openSession(path, { settings: SESSION, ...during });
  const signature = signatureOf(built);
  const feeds = Object.fromEntries(frozen.map((value) => [value.name, feedOf(value)]));
  const compare = (session: RuntimeSession) =>
    compareWithSource(original, session, signature.inputs, {
      tolerance: undefined,
      frozen: feeds,
      reference: referenceText(reference),
    });
  const equivalence = await (precision === 'fp16' ? asOnGpu(model, during, compare) : compare(built)).catch((cause) => {
    if (precision !== 'fp16' || !(cause instanceof ArtifactError) || cause.code !== 'NOT_EQUIVALENT') throw cause;
    throw new ArtifactError({
      code: 'GPU_PRECISION',
      message: `In half precision '${configuration.name}' is not what its source is. ${cause.message}`,
      advice: 'Set "gpu": { "precision": "fp32" } in model.json: numbers inside this model exceed float16.',
      cause,
    });
  });
  const manifest = await writeManifest(folder, {
    schemaVersion: MANIFEST_SCHEMA_VERSION,
    name: configuration.name,
    modelVersion: configuration.version,
    onnxruntimeVersion: onnxruntimeVersion(),
    signature,
    task: configuration.task,
    session: SESSION,
    model: 'model.onnx',
  });
  const warmUpSize = equivalence.kind === 'compared' ? equivalence.dynamicSize : undefined;
  const archive = await writeModelArchive(folder, model, manifest, { ...settings, warmUpSize });
  return { precision, manifest, declined, equivalence, archive };
}

/** Rounds to float16 between operators, as a GPU does; not inside of them. */
async function asOnGpu<Result>(
  model: Model,
  during: { readonly signal?: AbortSignal },
  use: (session: RuntimeSession) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-gpu-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeModel(withRounding(model), path, { externalData: EXTERNAL_DATA });
    await using session = await openSession(path, { settings: { graphOptimizationLevel: 'disabled' }, ...during });
    return await use(session);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
