/** The three data sets of a model's `optimize` section, opened and told apart. */
import { resolve } from 'node:path';
import type { Signature } from '../../artifact/manifest.js';
import { ConfigurationError } from '../../errors.js';
import type { PreparedModel } from '../build/prepare.js';
import { signatureOf } from '../build/signature.js';
import type { DataSet } from '../data/data-set.js';
import { checkDisjoint } from '../data/disjoint.js';
import { FileDataSet } from '../data/file-data-set.js';
import { openDataSet } from '../data/open-data-set.js';
import { splitDataSet } from '../data/subset.js';
import { syntheticDataSet } from '../data/synthetic.js';
import { asModelFile } from '../metrics/model-file.js';
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

/** Enough for ranges and rankings; no number of them would certify anything. */
const SYNTHETIC_SAMPLES = 32;

/** What the prepared model takes and gives, by onnxruntime. */
export async function preparedSignature({ model }: PreparedModel, signal?: AbortSignal): Promise<Signature> {
  await using file = await asModelFile(model);
  const settings = { graphOptimizationLevel: 'disabled' } as const;
  await using session = await openSession(file.path, { settings, ...(signal === undefined ? {} : { signal }) });
  return signatureOf(session);
}

/**
 * @throws ConfigurationError OPTIMIZE_SECTION_MISSING without an `optimize` section; DATA_… naming the file; DATA_NOT_DISJOINT where a
 * sample is in two sets
 */
export async function openModelData(
  prepared: PreparedModel,
  signature: Signature,
  signal?: AbortSignal,
): Promise<ModelData> {
  const { configuration, directory } = prepared;
  const { optimize } = configuration;
  if (optimize === undefined) throw sectionMissing(configuration.name);
  const open = async (path: string | undefined, index: number): Promise<DataSet> => {
    // The schema lets a path be missing only where data may be made up.
    if (path === undefined)
      return syntheticDataSet(signature, { count: SYNTHETIC_SAMPLES, seed: optimize.seed * 3 + index });
    return await openDataSet(resolve(directory, path), {
      task: configuration.task,
      signature,
      frozenInputs: prepared.frozen.map(({ name }) => name),
      assets: directory,
      ...(signal === undefined ? {} : { signal }),
    });
  };
  const calibration = await open(optimize.calibration, 0);
  const all = await open(optimize.evaluation, 1);
  await checkDisjoint(calibration, all, ['calibration', 'evaluation']);
  const [evaluation, holdout] =
    optimize.holdout === undefined
      ? await splitDataSet(all, [0.5, 0.5], optimize.seed)
      : [all, await open(optimize.holdout, 2)];
  if (optimize.holdout !== undefined) {
    await checkDisjoint(calibration, holdout, ['calibration', 'holdout']);
    await checkDisjoint(all, holdout, ['evaluation', 'holdout']);
  }
  const report = (role: ReportedDataSet['role'], set: DataSet, path: string | undefined) => ({
    role,
    ...(path === undefined ? {} : { path }),
    samples: set.ids.length,
    digest: set.digest,
    isSynthetic: set.isSynthetic,
    groups: groupsOf(set),
  });
  return {
    calibration,
    evaluation,
    holdout,
    reported: [
      report('calibration', calibration, optimize.calibration),
      report('evaluation', evaluation, optimize.evaluation),
      report('holdout', holdout, optimize.holdout),
    ],
    digests: { calibration: calibration.digest, evaluation: evaluation.digest, holdout: holdout.digest },
  };
}

function groupsOf(set: DataSet): Readonly<Record<string, number>> {
  if (!(set instanceof FileDataSet)) return {};
  const counts = new Map<string, number>();
  for (const id of set.ids) {
    const group = set.groupOf(id);
    if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sectionMissing(name: string): ConfigurationError {
  return new ConfigurationError({
    code: 'OPTIMIZE_SECTION_MISSING',
    message: `model.json of '${name}' has no optimize section: nothing says what is wanted, and at what price.`,
    advice:
      'Add for example "optimize": { "goal": "size", "budget": { "metric": "agreement", "maxLoss": 0.01 }, "calibration": "samples/calibration", "evaluation": "samples/evaluation" }.',
  });
}
