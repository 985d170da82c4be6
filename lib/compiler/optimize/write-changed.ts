/** A model that a plan changed, as an ONNX file or as an artifact, checked before anything is left behind. */
import type { SessionSettings } from '../../artifact/manifest.js';
import { compareWithSource } from '../build/equivalence.js';
import { feedOf } from '../build/feeds.js';
import { type PreparedModel, referenceText } from '../build/prepare.js';
import { sessionSettingsFor } from '../build/session-settings.js';
import { signatureOf } from '../build/signature.js';
import { writeModelFile } from '../build/write-model-file.js';
import { buildArtifact } from '../build.js';
import { copyModel } from '../ir/copy.js';
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
  onStep?.('writing the model');
  const { path, bytes, result } = await writeModelFile(model, out, async (written) => {
    onStep?.('comparing it with its source');
    await using built = await openSession(written, { settings, signal });
    await using original = await openSession(prepared.reference.path, {
      settings: { graphOptimizationLevel: 'basic' },
      signal,
    });
    return await compareWithSource(original, built, signatureOf(built).inputs, {
      tolerance: undefined,
      frozen: Object.fromEntries(prepared.frozen.map((value) => [value.name, feedOf(value)])),
      reference: referenceText(prepared.reference),
    });
  });
  return { path, bytes, equivalence: result.description };
}
