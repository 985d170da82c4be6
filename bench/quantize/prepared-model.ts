/** A model with all that its comparisons share: its plain form, its metrics, its open data. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Signature } from '../../lib/artifact/manifest.js';
import { signatureOf } from '../../lib/compiler/build/signature.js';
import type { DataSet } from '../../lib/compiler/data/data-set.js';
import { openDataSet } from '../../lib/compiler/data/open-data-set.js';
import { writeModel } from '../../lib/compiler/ir/serialization/write.js';
import type { Metric } from '../../lib/compiler/metrics/metric.js';
import { metricFor } from '../../lib/compiler/metrics/metric-for.js';
import { runPasses } from '../../lib/compiler/passes/pass.js';
import { normalize } from '../../lib/compiler/passes/presets.js';
import { readModel } from '../../lib/compiler/readers/read-model.js';
import { openSession } from '../../lib/compiler/runtime/session.js';
import { prepareData, type Role } from './data/sets.js';
import { dumpFeeds } from './feeds.js';
import type { BenchModel } from './models.js';

/** What Python calibrates with, and what one explicit recipe is timed with. */
export const CALIBRATION_SAMPLES = 32;

export interface PreparedBenchModel extends BenchModel {
  /** Folder of the data sets. */
  readonly folder: string;
  /** Changes with the model and its data. */
  readonly digest: string;
  /** The original; where inputs are frozen, without them and without the branches that they close. */
  readonly plain: string;
  /** An .npz archive of calibration feeds, a row a run. */
  readonly feeds: string;
  /** Of the original's file, bytes. */
  readonly bytes: number;
  readonly signature: Signature;
  readonly taskMetric: Metric;
  openData(role: Role): Promise<DataSet>;
}

export async function prepareBenchModel(model: BenchModel): Promise<PreparedBenchModel> {
  const folder = await prepareData(model.name, model.data);
  const digest = createHash('sha256').update(readFileSync(model.source)).update(model.data.identity).digest('hex');
  const kept = (name: string) => join(folder, `${digest.slice(0, 12)}-${name}`);
  const plain = model.inputs === undefined ? model.source : kept('plain.onnx');
  if (model.inputs !== undefined && !existsSync(plain)) {
    const graph = await readModel(model.source);
    await runPasses(graph, normalize({ inputs: model.inputs as never }));
    await writeModel(graph, plain);
  }
  await using session = await openSession(plain);
  const signature = signatureOf(session);
  const openData = (role: Role) =>
    openDataSet(join(folder, role), {
      task: model.task,
      signature,
      frozenInputs: Object.keys(model.inputs ?? {}),
      assets: dirname(model.source),
    });
  const feeds = kept(`feeds-${CALIBRATION_SAMPLES}.npz`);
  if (!existsSync(feeds)) {
    await dumpFeeds(await openData('calibration'), feeds, { original: plain, samples: CALIBRATION_SAMPLES });
  }
  return {
    ...model,
    ...{ folder, digest, plain, feeds, signature, openData },
    bytes: statSync(model.source).size,
    taskMetric: metricFor(model.metric, model.task, signature),
  };
}
