/** The pipeline from a model folder to an artifact, top to bottom. */
import { stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { REPORT_FILE, writeManifest } from '../artifact/artifact-folder.js';
import { type Json, readableJson } from '../artifact/digest.js';
import { type Architecture, MANIFEST_SCHEMA_VERSION, type Manifest } from '../artifact/manifest.js';
import { onnxruntimeVersion } from '../artifact/onnxruntime-package.js';
import { readModelFolder } from './build/configuration.js';
import { compareWithSource, type Equivalence } from './build/equivalence.js';
import { feedOf } from './build/feeds.js';
import { refuseOptimizeSection } from './build/optimize-section.js';
import { replaceFolder } from './build/replace-folder.js';
import { sessionSettingsFor } from './build/session-settings.js';
import { checkTask, signatureOf } from './build/signature.js';
import { writeModel } from './ir/serialization/write.js';
import { validate } from './ir/validation.js';
import { type PassesResult, runPasses } from './passes/pass.js';
import { lossless, normalize, recipes } from './passes/presets.js';
import { readModel } from './readers/read-model.js';
import { inferTypes } from './runtime/infer-types.js';
import { openSession } from './runtime/session.js';

export interface BuildOptions {
  /** A folder with a model.json. */
  readonly modelDirectory: string;
  /** Where the artifact goes; an artifact that is there is replaced when the new one is whole. */
  readonly outputDirectory: string;
  /** What a lock is read for. */
  readonly architecture: Architecture;
  /** Told the name of each step as it begins. */
  readonly onStep?: (name: string) => void;
  /** Stops the build; nothing half-written is left. */
  readonly signal?: AbortSignal;
}

/** What `report.json` says: how an artifact was made. Not part of the artifact's identity. */
export interface BuildReport {
  readonly manifest: Manifest;
  readonly source: { readonly path: string; readonly bytes: number };
  /** Names of the passes that changed the model, in order, each once. */
  readonly passes: readonly string[];
  /** Rewrites that were possible and not made, with the reason. */
  readonly declined: PassesResult['declined'];
  readonly equivalence: Equivalence;
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
  const { configuration, source } = readModelFolder(options.modelDirectory);
  refuseOptimizeSection(configuration);

  step(`reading ${configuration.source}`);
  const model = await readModel(source);
  validate(model);
  const frozen = model.graph.inputs.filter(({ name }) => configuration.inputs[name]?.value !== undefined);

  step('normalizing the graph');
  const normalized = await runPasses(model, normalize({ inputs: configuration.inputs }));
  step('asking onnxruntime for types and shapes');
  await inferTypes(model, during);
  step('rewriting the graph without loss');
  const rewritten = await runPasses(model, lossless());
  const recipe = await runPasses(model, recipes(configuration));
  validate(model);

  return await replaceFolder(resolve(options.outputDirectory), async (folder) => {
    step('writing the model');
    const path = join(folder, 'model.onnx');
    await writeModel(model, path, { externalData: { file: 'model.onnx.data', minimumBytes: 1024 } });

    step('comparing it with its source');
    const session = sessionSettingsFor(model, configuration);
    await using built = await openSession(path, { settings: session, ...during });
    const signature = signatureOf(built);
    checkTask(configuration.task, signature);
    await using original = await openSession(source, { settings: { graphOptimizationLevel: 'basic' }, ...during });
    const equivalence = await compareWithSource(original, built, signature.inputs, {
      tolerance: configuration.weights === 'fp32' ? LOSSLESS_TOLERANCE : undefined,
      frozen: Object.fromEntries(frozen.map((value) => [value.name, feedOf(value)])),
    });

    step('writing the manifest');
    const manifest = await writeManifest(folder, {
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
      source: { path: configuration.source, bytes: (await stat(source)).size },
      passes: [...new Set([...normalized.modified, ...rewritten.modified, ...recipe.modified])],
      declined: distinct([...normalized.declined, ...rewritten.declined, ...recipe.declined]),
      equivalence,
    };
    await writeFile(join(folder, REPORT_FILE), readableJson(report as unknown as Json));
    return report;
  });
}

/** Passes that run again decline the same thing again. */
function distinct(declined: PassesResult['declined']): PassesResult['declined'] {
  return [...new Map(declined.map((entry) => [`${entry.pass}\n${entry.reason}`, entry])).values()];
}
