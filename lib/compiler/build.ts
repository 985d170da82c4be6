/** The pipeline from a model folder to an artifact, top to bottom. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { REPORT_FILE, writeManifest } from '../artifact/artifact-folder.js';
import { type Json, readableJson } from '../artifact/digest.js';
import {
  type Architecture,
  MANIFEST_SCHEMA_VERSION,
  type Manifest,
  type SessionSettings,
} from '../artifact/manifest.js';
import { onnxruntimeVersion } from '../artifact/onnxruntime-package.js';
import { sourceBytes } from '../artifact/source-content.js';
import { GPU_FOLDER } from '../artifact/triton.js';
import { applyLock, chooseLock, compareWithLock, type LockReport } from './build/apply-lock.js';
import { readModelFolder } from './build/configuration.js';
import { compareWithSource, type Equivalence, settingsForReference, settingsForRewrites } from './build/equivalence.js';
import { feedOf } from './build/feeds.js';
import { type GpuReport, writeGpuVariant } from './build/gpu-variant.js';
import { writeInputProfile } from './build/input-profile.js';
import { joinPasses, prepareFolder, referenceText } from './build/prepare.js';
import { replaceFolder } from './build/replace-folder.js';
import { sessionSettingsFor } from './build/session-settings.js';
import { checkTask, signatureOf } from './build/signature.js';
import { copyTaskAssets } from './build/task-assets.js';
import { writeModel } from './ir/serialization/write.js';
import { validate } from './ir/validation.js';
import type { ParityReport } from './parity/gate.js';
import { type PassesResult, runPasses } from './passes/pass.js';
import { recipes } from './passes/presets.js';
import { applyPlan } from './quantize/apply-plan.js';
import type { QuantizationPlan } from './quantize/plan.js';
import { openSession } from './runtime/session.js';

export interface BuildOptions {
  /** A folder with a model.json. */
  readonly modelDirectory: string;
  /** Where the artifact goes; an artifact that is there is replaced when the new one is whole. */
  readonly outputDirectory: string;
  /** What a lock is read for. */
  readonly architecture: Architecture;
  /** In place of what a lock says: for the search that is about to write one. */
  readonly chosen?: { readonly plan: QuantizationPlan; readonly session: SessionSettings };
  /** Whether the GPU variant that model.json asks for is written too. Default true. */
  readonly gpu?: boolean;
  /** Told the name of each step as it begins. */
  readonly onStep?: (name: string) => void;
  /** Stops the build; nothing half-written is left. */
  readonly signal?: AbortSignal;
}

/** What `report.json` says: how an artifact was made. Not part of the artifact's identity. */
export interface BuildReport {
  readonly manifest: Manifest;
  readonly source: { readonly path: string; readonly format: string; readonly bytes: number };
  /** Names of the passes that changed the model, in order, each once. */
  readonly passes: readonly string[];
  /** Rewrites that were possible and not made, with the reason. */
  readonly declined: PassesResult['declined'];
  readonly equivalence: Equivalence;
  /** Where model.json names recorded samples: how far the model is from what its source framework computed, before any recipe. */
  readonly parity?: ParityReport;
  /** Where model.json has an `optimize` section. */
  readonly lock?: LockReport;
  /** Where model.json has a `gpu` section. */
  readonly gpu?: GpuReport;
}

/** The largest max|Δ| / max|y| between a lossless rewrite and its source, on made-up inputs. */
const LOSSLESS_TOLERANCE = 1e-4;

/** @throws CdkOnnxError of every area: each says what to do */
export async function buildArtifact(options: BuildOptions): Promise<BuildReport> {
  const step = (name: string) => {
    options.signal?.throwIfAborted();
    options.onStep?.(name);
  };
  const during = options.signal === undefined ? {} : { signal: options.signal };
  const folder = readModelFolder(options.modelDirectory);
  const { configuration, source } = folder;
  const { chosen } = options;
  const lock = chosen === undefined ? await chooseLock(folder, options.architecture) : undefined;
  await using prepared = await prepareFolder(folder, options);
  const { model, frozen, reference, parity } = prepared;
  const isLossless = lock === undefined && chosen === undefined && configuration.weights === 'fp32';
  if (lock !== undefined) step('applying the lock');
  const applied = lock === undefined ? undefined : await applyLock(prepared, lock);
  if (chosen !== undefined) await applyPlan(model, chosen.plan);
  const { stripNames } = configuration;
  // Recipes speak of each node, so what model.json says of all weights is theirs to decide.
  const { weights } = lock === undefined && chosen === undefined ? configuration : { weights: 'fp32' as const };
  const recipe = await runPasses(model, recipes({ weights, stripNames }));
  validate(model);

  return await replaceFolder(resolve(options.outputDirectory), async (output) => {
    step('writing the model');
    const path = join(output, 'model.onnx');
    await writeModel(model, path, { externalData: { file: 'model.onnx.data', minimumBytes: 1024 } });

    step('comparing it with its source');
    const session =
      (chosen ?? lock?.locked)?.session ??
      sessionSettingsFor(model, configuration, {
        architecture: options.architecture,
        isConverted: !reference.isSource,
      });
    const settings = isLossless ? settingsForRewrites(model, session) : session;
    await using built = await openSession(path, { settings, ...during });
    const signature = signatureOf(built);
    checkTask(configuration.task, signature);
    await using original = await openSession(reference.path, {
      settings: settingsForReference(prepared.passes),
      ...during,
    });
    const equivalence = await compareWithSource(original, built, signature.inputs, {
      tolerance: isLossless ? LOSSLESS_TOLERANCE : undefined,
      frozen: Object.fromEntries(frozen.map((value) => [value.name, feedOf(value)])),
      reference: referenceText(reference),
    });

    const { unfused } = prepared;
    const { gpu } = configuration;
    let gpuReport: GpuReport | undefined;
    if (gpu !== undefined && unfused !== undefined && options.gpu !== false) {
      step('writing the variant for a GPU');
      const variant = join(output, GPU_FOLDER);
      await mkdir(variant);
      gpuReport = await writeGpuVariant(prepared, unfused, { settings: gpu, folder: variant, original, ...during });
    }

    await copyTaskAssets(configuration.task, folder.directory, output);
    if (configuration.drift !== undefined) {
      step('recording how inputs are distributed');
      await writeInputProfile(prepared, signature, output, options.signal);
    }
    step('writing the manifest');
    const passes = joinPasses(prepared.passes, recipe);
    const manifest = await writeManifest(output, {
      schemaVersion: MANIFEST_SCHEMA_VERSION,
      name: configuration.name,
      modelVersion: configuration.version,
      onnxruntimeVersion: onnxruntimeVersion(),
      signature,
      task: configuration.task,
      session,
      model: 'model.onnx',
    });
    const report: BuildReport = {
      manifest,
      source: { path: configuration.source, format: reference.format, bytes: sourceBytes(source) },
      passes: passes.modified,
      declined: passes.declined,
      equivalence,
      ...(parity === undefined ? {} : { parity }),
      ...(gpuReport === undefined ? {} : { gpu: gpuReport }),
      ...(lock === undefined || applied === undefined ? {} : { lock: compareWithLock(manifest, lock, applied) }),
    };
    await writeFile(join(output, REPORT_FILE), readableJson(report as unknown as Json));
    return report;
  });
}
