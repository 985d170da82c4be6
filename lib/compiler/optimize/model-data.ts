/** The three data sets of a model's `optimize` section, opened and told apart. */
import { resolve } from 'node:path';
import type { Signature } from '../../artifact/manifest.js';
import { ConfigurationError } from '../../errors.js';
import type { PreparedModel } from '../build/prepare.js';
import { signatureOf } from '../build/signature.js';
import type { DataSet } from '../data/data-set.js';
import type { FileDataSet } from '../data/file-data-set.js';
import { openDataSet } from '../data/open-data-set.js';
import { asModelFile } from '../metrics/model-file.js';
import { halvesOf } from '../metrics/subset.js';
import type { ReportedDataSet } from '../report/report.js';
import { openSession } from '../runtime/session.js';

export interface ModelData {
  readonly calibration: DataSet;
  readonly evaluation: DataSet;
  /** Half of the evaluation data where model.json names none. */
  readonly holdout: DataSet;
  /** For the report, in that order. */
  readonly reported: readonly ReportedDataSet[];
  /** For the lock, by role. */
  readonly digests: Readonly<Record<string, string>>;
}

/** What the prepared model takes and gives, by onnxruntime. */
export async function preparedSignature({ model }: PreparedModel, signal?: AbortSignal): Promise<Signature> {
  await using file = await asModelFile(model);
  const settings = { graphOptimizationLevel: 'disabled' } as const;
  await using session = await openSession(file.path, { settings, ...(signal === undefined ? {} : { signal }) });
  return signatureOf(session);
}

/**
 * @throws ConfigurationError OPTIMIZE_SECTION_MISSING without an `optimize` section; DATA_… naming the file; DATA_OVERLAP where a sample
 * is in two sets
 */
export async function openModelData(
  prepared: PreparedModel,
  signature: Signature,
  signal?: AbortSignal,
): Promise<ModelData> {
  const { configuration, directory } = prepared;
  const { optimize } = configuration;
  if (optimize === undefined) throw sectionMissing(configuration.name);
  const open = async (path: string | undefined) => {
    if (path === undefined) return undefined;
    return await openDataSet(resolve(directory, path), {
      task: configuration.task,
      signature,
      frozenInputs: prepared.frozen.map(({ name }) => name),
      ...(signal === undefined ? {} : { signal }),
    });
  };
  const calibration = await open(optimize.calibration);
  const all = await open(optimize.evaluation);
  const own = await open(optimize.holdout);
  if (calibration === undefined || all === undefined) throw notMadeUp(configuration.name);
  const [evaluation, holdout] = own === undefined ? halvesOf(all, optimize.seed) : [all, own];
  refuseOverlap([
    ['calibration', calibration],
    ['evaluation', all],
    ...(own === undefined ? [] : [['holdout', own] as const]),
  ]);
  const report = (role: ReportedDataSet['role'], set: DataSet, file: FileDataSet, path: string | undefined) => ({
    role,
    ...(path === undefined ? {} : { path }),
    samples: set.ids.length,
    digest: set.digest,
    isSynthetic: set.isSynthetic,
    groups: groupsOf(set, file),
  });
  return {
    calibration,
    evaluation,
    holdout,
    reported: [
      report('calibration', calibration, calibration, optimize.calibration),
      report('evaluation', evaluation, all, optimize.evaluation),
      report('holdout', holdout, own ?? all, optimize.holdout),
    ],
    digests: { calibration: calibration.digest, evaluation: evaluation.digest, holdout: holdout.digest },
  };
}

function groupsOf(set: DataSet, file: FileDataSet): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const id of set.ids) {
    const group = file.groupOf(id);
    if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** By content, as far as samples are files of their own: a copy under another name is the same sample. */
function refuseOverlap(sets: readonly (readonly [string, FileDataSet])[]): void {
  const seen = new Map<string, { readonly role: string; readonly id: string }>();
  for (const [role, set] of sets) {
    for (const id of set.ids) {
      const digest = set.fileDigest(id);
      if (digest === undefined) continue;
      const other = seen.get(digest);
      if (other !== undefined && other.role !== role) throw overlap(other, { role, id });
      seen.set(digest, { role, id });
    }
  }
}

interface Place {
  readonly role: string;
  readonly id: string;
}

function overlap(one: Place, other: Place): ConfigurationError {
  return new ConfigurationError({
    code: 'DATA_OVERLAP',
    message: `The same sample is in two data sets: ${one.id} of ${one.role} is ${other.id} of ${other.role}.`,
    advice: 'Take it out of one: what a recipe was chosen by cannot judge it.',
  });
}

function sectionMissing(name: string): ConfigurationError {
  return new ConfigurationError({
    code: 'OPTIMIZE_SECTION_MISSING',
    message: `model.json of '${name}' has no optimize section: nothing says what is wanted, and at what price.`,
    advice:
      'Add for example "optimize": { "goal": "size", "budget": { "metric": "agreement", "maxLoss": 0.01 }, "calibration": "samples/calibration", "evaluation": "samples/evaluation" }.',
  });
}

function notMadeUp(name: string): ConfigurationError {
  return new ConfigurationError({
    code: 'DATA_REQUIRED',
    message: `The optimize section of '${name}' lacks calibration or evaluation data.`,
    advice: 'Name a folder of samples for each.',
  });
}
