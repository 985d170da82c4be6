/** A real model's folder with a lock, to be copied and spoilt. */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOCK_FILE, type Lock } from '../../lib/artifact/lock.js';
import { lockPlan } from '../../lib/compiler/build/lock-plan.js';
import { type PreparedModel, prepareModel } from '../../lib/compiler/build/prepare.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../lib/compiler/ir/traversal.js';
import { nodeKeyOf } from '../../lib/compiler/quantize/node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../lib/compiler/quantize/plan.js';
import { rewriteOf } from '../../lib/compiler/quantize/schemes/registry.js';
import { realModels } from './real-models.js';

export const OPTIMIZE = {
  goal: 'size',
  budget: { metric: 'snr', min: 20 },
  calibration: 'samples/a',
  evaluation: 'samples/b',
};
export const LOCKED_SESSION = { graphOptimizationLevel: 'extended' as const };

/** What a test may spoil. */
export interface EditableLock {
  tool: string;
  digests: { normalizedGraph: string; weights: string };
  architectures: Record<string, { recipes: { node: { output: string }; recipe: object }[] }>;
}

export interface LockedModel {
  readonly directory: string;
  readonly prepared: PreparedModel;
  readonly plan: QuantizationPlan;
  readonly lock: Lock;
  /** Another folder with the same content, and its lock edited. */
  copy(edit?: (lock: EditableLock) => void): string;
  /** For what tests write beside it. */
  readonly root: string;
  remove(): void;
}

/** The OCR angle classifier with every convolution in int8 and one bias changed by data, as bias correction would; for both architectures. */
export async function lockedModel(): Promise<LockedModel> {
  const root = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-lock-'));
  const newFolder = () => join(root, String(readdirSync(root).length), 'angle');
  const directory = newFolder();
  mkdirSync(directory, { recursive: true });
  copyFileSync(realModels.ocrAngleClassifier, join(directory, 'source.onnx'));
  writeModelJson(directory, {});
  const prepared = await prepareModel(directory);
  const plan = weightOnlyPlan(prepared);
  const { lock } = await lockPlan({
    prepared,
    plan,
    session: LOCKED_SESSION,
    architectures: new Map([
      ['arm64', []],
      ['x86_64', [{ metric: 'run', value: 1, unit: 'ms', cpu: 'test' }]],
    ]),
    data: {},
  });
  const copy = (edit: (lock: EditableLock) => void = () => undefined) => {
    const folder = newFolder();
    cpSync(directory, folder, { recursive: true });
    const file = join(folder, LOCK_FILE);
    const json = JSON.parse(readFileSync(file, 'utf8')) as EditableLock;
    edit(json);
    writeFileSync(file, JSON.stringify(json));
    return folder;
  };
  return { directory, prepared, plan, lock, copy, root, remove: () => rmSync(root, { recursive: true }) };
}

export function writeModelJson(folder: string, more: object): void {
  const json = { name: 'angle', source: 'source.onnx', optimize: OPTIMIZE, ...more };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
}

function weightOnlyPlan({ model }: PreparedModel): QuantizationPlan {
  const recipe = { scheme: 'int8-weight-only' as const, perChannel: true };
  const convolutions = [...nodesOf(model)].filter(
    (node) => node.is('Conv') && rewriteOf('int8-weight-only')?.refusal(node, recipe) === undefined,
  );
  const bias = convolutions.map((node) => node.input(2)).find((value) => value?.initializer !== undefined);
  if (bias?.initializer === undefined) throw new Error('the model has biases');
  const moved = Float32Array.from(bias.initializer.numbers(), (value) => value + 0.001);
  return {
    ...EMPTY_PLAN,
    recipes: convolutions.map((node) => ({ node: nodeKeyOf(node), recipe })),
    weights: new Map([[bias.name, Tensor.fromTyped('float32', bias.initializer.dims, moved)]]),
  };
}
