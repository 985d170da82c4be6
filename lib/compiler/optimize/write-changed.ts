/** A model that a plan changed, as an ONNX file or as an artifact, checked before anything is left behind. */
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { SessionSettings } from '../../artifact/manifest.js';
import { compareWithSource } from '../build/equivalence.js';
import { feedOf } from '../build/feeds.js';
import type { PreparedModel } from '../build/prepare.js';
import { sessionSettingsFor } from '../build/session-settings.js';
import { signatureOf } from '../build/signature.js';
import { buildArtifact } from '../build.js';
import { copyModel } from '../ir/copy.js';
import { writeModel } from '../ir/serialization/write.js';
import { weightsOf } from '../ir/summary.js';
import { validate } from '../ir/validation.js';
import { applyPlan } from '../quantize/apply-plan.js';
import type { AppliedPlan, QuantizationPlan } from '../quantize/plan.js';
import { openSession } from '../runtime/session.js';
import { isModelFile } from './quantize-model.js';

export interface ChangedModel {
  /** What can be run and compared: the file, or the artifact's folder. */
  readonly path: string;
  readonly bytes: number;
  readonly declined: AppliedPlan['declined'];
  /** Against the source, on made-up inputs. */
  readonly equivalence: string;
}

export interface WriteChangedOptions {
  readonly prepared: PreparedModel;
  readonly plan: QuantizationPlan;
  /** A file that ends with .onnx, or a folder that becomes an artifact. */
  readonly out: string;
  readonly signal: AbortSignal;
  readonly onStep?: (name: string) => void;
}

/** Protobuf ends at 2 GiB; above this much the weights get a file of their own. */
const INLINE_BYTES = 1.9e9;

/** @throws ArtifactError NOT_EQUIVALENT, OUTPUT_NOT_EMPTY; nothing is left behind then */
export async function writeChanged(options: WriteChangedOptions): Promise<ChangedModel> {
  const { prepared, plan, out, signal, onStep } = options;
  const model = copyModel(prepared.model);
  const { declined } = applyPlan(model, plan);
  validate(model);
  const settings = prepared.configuration.session ?? sessionSettingsFor(model, {});
  if (isModelFile(out)) return { ...(await writeFileOf(model, settings, options)), declined };
  const { manifest, equivalence } = await buildArtifact({
    modelDirectory: prepared.directory,
    outputDirectory: out,
    architecture: 'arm64',
    chosen: { plan, session: settings },
    signal,
    ...(onStep === undefined ? {} : { onStep }),
  });
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  return { path: out, bytes, declined, equivalence: equivalence.description };
}

async function writeFileOf(
  model: PreparedModel['model'],
  settings: SessionSettings,
  { prepared, out, signal, onStep }: WriteChangedOptions,
): Promise<Omit<ChangedModel, 'declined'>> {
  const target = resolve(out);
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    onStep?.('writing the model');
    const path = join(folder, basename(target));
    const dataFile = `${basename(target)}.data`;
    const weights = weightsOf(model).reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
    const isLarge = weights > INLINE_BYTES;
    await writeModel(model, path, isLarge ? { externalData: { file: dataFile, minimumBytes: 1024 } } : {});
    onStep?.('comparing it with its source');
    await using built = await openSession(path, { settings, signal });
    await using original = await openSession(prepared.source, {
      settings: { graphOptimizationLevel: 'basic' },
      signal,
    });
    const equivalence = await compareWithSource(original, built, signatureOf(built).inputs, {
      tolerance: undefined,
      frozen: Object.fromEntries(prepared.frozen.map((value) => [value.name, feedOf(value)])),
    });
    const bytes = (await stat(path)).size + (isLarge ? (await stat(join(folder, dataFile))).size : 0);
    if (isLarge) await rename(join(folder, dataFile), join(dirname(target), dataFile));
    await rename(path, target);
    return { path: target, bytes, equivalence: equivalence.description };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
