/** Our side as its users run it: `cdk-onnx optimize` on a model's folder, then `cdk-onnx build` with the lock that it wrote. */
import { join } from 'node:path';
import { type ComparableModel, comparableModel } from '../../lib/compiler/comparison/comparable-model.js';
import { HOST_ARCHITECTURE } from '../../test/support/predict-function.js';
import { runTree } from '../process-tree.js';
import { type Goal, modelFolder } from './model-folder.js';
import type { BenchModel } from './models.js';

export interface Searched {
  /** 0: the budget holds. */
  readonly code: number | null;
  readonly seconds: number;
  /** What the command said where it did not. */
  readonly complaint: string;
  /** Absent where nothing could be built. */
  readonly artifact?: ComparableModel;
}

const command = join(import.meta.dirname, '../../bin/cdk-onnx.mjs');
/** Twice what a search may take. */
const LIMIT_MS = 600_000;

export async function searchFor(model: BenchModel, goal: Goal): Promise<Searched> {
  const folder = await modelFolder(model, goal);
  const architecture = ['--architecture', HOST_ARCHITECTURE];
  const search = await runTree(process.execPath, [command, 'optimize', folder, ...architecture], { timeout: LIMIT_MS });
  const complaint = search.code === 0 ? '' : search.stderr.trim().slice(-1000);
  const out = join(folder, 'artifact');
  const build = await runTree(process.execPath, [command, 'build', folder, '--out', out, ...architecture]);
  return {
    ...{ code: search.code, seconds: search.seconds },
    complaint: build.code === 0 ? complaint : `${complaint}\n${build.stderr.trim().slice(-1000)}`,
    ...(build.code === 0 ? { artifact: await comparableModel(out) } : {}),
  };
}
