/** A plan as files that could be an artifact's: what is evaluated and weighed is what would be shipped. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyModel } from '../../ir/copy.js';
import type { Model } from '../../ir/model.js';
import { writeModel } from '../../ir/serialization/write.js';
import { stripNames } from '../../passes/strip-names.js';
import { applyPlan } from '../apply-plan.js';
import type { AppliedPlan, QuantizationPlan } from '../plan.js';

const DATA_FILE = 'model.onnx.data';

export interface CandidateFile extends AsyncDisposable {
  readonly path: string;
  /** Of the model and its weights. */
  readonly bytes: number;
  readonly declined: AppliedPlan['declined'];
}

export async function writeCandidate(
  original: Model,
  plan: QuantizationPlan,
  options: { readonly stripNames: boolean; readonly change?: (model: Model) => void },
): Promise<CandidateFile> {
  const model = copyModel(original);
  const { declined } = applyPlan(model, plan);
  if (options.stripNames) stripNames().run(model);
  options.change?.(model);
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-candidate-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'model.onnx');
    await writeModel(model, path, { externalData: { file: DATA_FILE, minimumBytes: 1024 } });
    const data = await stat(join(folder, DATA_FILE)).catch(() => undefined);
    return { path, bytes: (await stat(path)).size + (data?.size ?? 0), declined, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
