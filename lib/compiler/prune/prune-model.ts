/** Everything that makes a model smaller by taking something out, as `prune` and the search ask for it. The model itself stays as it is. */
import { ConfigurationError } from '../../errors.js';
import type { DataSet } from '../data/data-set.js';
import type { Model } from '../ir/model.js';
import { weightsOf } from '../ir/summary.js';
import type { Tensor } from '../ir/tensor.js';
import type { Objective } from './cost.js';
import type { KeptGroup } from './groups.js';
import { type LosslessUnits, removeSilentUnits } from './lossless/lossless.js';
import { prepareForPruning } from './prepare.js';
import type { ProbeOptions } from './probe.js';
import type { Recovery } from './recovery.js';
import { pruneByMagnitude, pruneNOfM, type SparseWeights } from './sparsity.js';
import { analyze, type PrunedUnits, type PruningAnalysis, pruneStructured } from './structured.js';

/** Also the values of `cdk-onnx prune --method`. */
export const PRUNING_METHODS = ['lossless', 'structured', 'magnitude', 'n:m'] as const;

export type PruningMethod = (typeof PRUNING_METHODS)[number];

export type PruningProgress =
  | { readonly kind: 'step'; readonly name: string }
  /** Nodes that were given new weights. */
  | { readonly kind: 'recovered'; readonly done: number; readonly of: number }
  | { readonly kind: 'ratio'; readonly ratio: number; readonly holds: boolean };

export interface PruneOptions extends ProbeOptions {
  readonly method: PruningMethod;
  /**
   * `structured`: part of the multiplications (of the numbers, for the objective `size`) to save; `magnitude`: part of the weights to set
   * to zero. 0 to 1. Required for them unless `accept` is given.
   */
  readonly ratio?: number | undefined;
  /** In place of a ratio: looks for the largest one whose model this accepts. Called with models of the original's signature. */
  readonly accept?: ((model: Model, ratio: number) => Promise<boolean>) | undefined;
  /** `n:m`: of every `m` weights in a row `n` stay. Default 2 of 4. */
  readonly pattern?: { readonly n: number; readonly m: number } | undefined;
  /** Calibration data: never what the result is judged by. Without it units are judged by their weights alone, and nothing is recovered. */
  readonly data?: DataSet | undefined;
  /** Runs of calibration data. Default 32. */
  readonly runs?: number | undefined;
  /** Default `latency`. */
  readonly objective?: Objective | undefined;
  /** Default true. */
  readonly recover?: boolean | undefined;
  readonly seed?: number | undefined;
  readonly onProgress?: ((progress: PruningProgress) => void) | undefined;
}

export interface PruningReport {
  readonly method: PruningMethod;
  /** Reached, which may be less than what was asked for: groups keep a quarter of their units. */
  readonly ratio: number;
  /** Numbers in float32 weights. */
  readonly numbers: { readonly before: number; readonly after: number };
  /** Multiplications of what can be pruned, in one run; absent where nothing was taken out or counted. */
  readonly multiplications?: { readonly before: number; readonly after: number };
  readonly lossless: readonly LosslessUnits[];
  /** Groups of channels that stay whole, and why. */
  readonly kept: readonly KeptGroup[];
  readonly recovery: Pick<Recovery, 'recovered' | 'declined'>;
  /** Only for `magnitude` and `n:m`, which change no size but the compressed one, and no speed. */
  readonly sparsity?: Omit<SparseWeights, 'weights'>;
}

export interface PruneResult {
  /** For `QuantizationPlan.weights`: float32 weights, and shapes, sizes and bounds as integers, some with other dimensions. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** By group, structured pruning only. */
  readonly removed: readonly PrunedUnits[];
  readonly report: PruningReport;
  /** A copy of the model with the weights in place. */
  readonly model: Model;
}

/**
 * @param model normalized and rewritten without loss
 * @throws ConfigurationError PRUNE_RATIO for a ratio that is missing or not between 0 and 1, PRUNE_PATTERN for n and m that make none
 * @throws RuntimeError if onnxruntime refuses the model or a sample
 */
export async function pruneModel(model: Model, options: PruneOptions): Promise<PruneResult> {
  checkOptions(options);
  if (options.method === 'magnitude' || options.method === 'n:m') return await pruneSparse(model, options);
  const start = await pruneLossless(model, options);
  if (options.method === 'lossless') return start;
  options.onProgress?.({ kind: 'step', name: 'measuring what every channel contributes' });
  const analysis = await analyze(start.model, options.data, { ...probe(options), runs: options.runs ?? 32 });
  const { accept } = options;
  if (accept === undefined) return await pruneTo(model, start, analysis, options.ratio ?? 0, options);
  return await searchRatio(start, async (ratio) => {
    const result = await pruneTo(model, start, analysis, ratio, options);
    const holds = await accept(result.model, ratio);
    options.onProgress?.({ kind: 'ratio', ratio, holds });
    return holds ? result : undefined;
  });
}

/** What is found in few attempts: the largest of 31 ratios, taking it that what holds for one holds for all below. */
async function searchRatio(
  start: PruneResult,
  attempt: (ratio: number) => Promise<PruneResult | undefined>,
): Promise<PruneResult> {
  const STEPS = 32;
  let [low, high, best] = [0, STEPS, start];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const result = await attempt(middle / STEPS);
    if (result === undefined) high = middle;
    else [low, best] = [middle, result];
  }
  return best;
}

async function pruneTo(
  original: Model,
  start: PruneResult,
  analysis: PruningAnalysis,
  ratio: number,
  options: PruneOptions,
): Promise<PruneResult> {
  options.onProgress?.({ kind: 'step', name: `taking out ${Math.round(ratio * 100)} %` });
  const { runs, seed, objective, recover, data } = options;
  const pruned = await pruneStructured(analysis, data, {
    ...probe(options),
    ratio,
    objective: objective ?? 'latency',
    recover: recover ?? true,
    recovery: {
      ...(runs === undefined ? {} : { runs }),
      ...(seed === undefined ? {} : { seed }),
      onNode: (done, of) => options.onProgress?.({ kind: 'recovered', done, of }),
    },
  });
  const weights = new Map([...start.weights, ...pruned.weights]);
  const { before, after } = pruned.cost;
  return {
    weights,
    removed: pruned.removed,
    model: pruned.model,
    report: {
      ...start.report,
      method: 'structured',
      ratio: before === 0 ? 0 : 1 - after / before,
      numbers: { before: countNumbers(original), after: countNumbers(pruned.model) },
      ...(objective === 'size' ? {} : { multiplications: pruned.cost }),
      recovery: pruned.recovery,
    },
  };
}

const MAXIMUM_ROUNDS = 8;

/** Round by round: what fed on dead channels may be dead itself. */
async function pruneLossless(model: Model, options: PruneOptions): Promise<PruneResult> {
  options.onProgress?.({ kind: 'step', name: 'looking for channels that say nothing' });
  const weights = new Map<string, Tensor>();
  const removed: LosslessUnits[] = [];
  let prepared = await prepareForPruning(model, probe(options));
  for (let round = 0; round < MAXIMUM_ROUNDS; round++) {
    const found = removeSilentUnits(prepared);
    if (found.removed.length === 0) break;
    for (const [name, tensor] of found.weights) weights.set(name, tensor);
    removed.push(...found.removed);
    prepared = await prepareForPruning(found.model, probe(options));
  }
  const { groups } = await analyze(prepared, undefined);
  const [before, after] = [countNumbers(model), countNumbers(prepared)];
  return {
    weights,
    removed: [],
    model: prepared,
    report: {
      method: 'lossless',
      ratio: before === 0 ? 0 : 1 - after / before,
      numbers: { before, after },
      lossless: removed,
      kept: groups.kept,
      recovery: { recovered: [], declined: [] },
    },
  };
}

async function pruneSparse(model: Model, options: PruneOptions): Promise<PruneResult> {
  options.onProgress?.({ kind: 'step', name: 'setting weights to zero' });
  const prepared = await prepareForPruning(model, probe(options));
  const { n, m } = options.pattern ?? { n: 2, m: 4 };
  const thinned =
    options.method === 'n:m'
      ? await pruneNOfM(prepared, n, m, options.signal)
      : await pruneByMagnitude(prepared, options.ratio ?? 0, options.signal);
  const { weights, ...sparsity } = thinned;
  for (const value of prepared.graph.initializers) value.initializer = weights.get(value.name) ?? value.initializer;
  const numbers = countNumbers(model);
  return {
    weights,
    removed: [],
    model: prepared,
    report: {
      method: options.method,
      ratio: sparsity.zerosAfter / Math.max(1, sparsity.numbers),
      numbers: { before: numbers, after: numbers },
      lossless: [],
      kept: [],
      recovery: { recovered: [], declined: [] },
      sparsity,
    },
  };
}

function probe({ signal, threads }: PruneOptions): ProbeOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(threads === undefined ? {} : { threads }) };
}

function countNumbers(model: Model): number {
  let count = 0;
  for (const { tensor } of weightsOf(model)) if (tensor.elementType === 'float32') count += tensor.count;
  return count;
}

function checkOptions({ method, ratio, accept, pattern }: PruneOptions): void {
  const needsRatio = method === 'magnitude' || (method === 'structured' && accept === undefined);
  if (needsRatio && !(ratio !== undefined && ratio >= 0 && ratio <= 1)) {
    throw new ConfigurationError({
      code: 'PRUNE_RATIO',
      message: `Pruning by '${method}' needs a ratio from 0 to 1, and got ${ratio}.`,
      advice: 'Say how much is to go: 0.3 for 30 %. Or give a budget, and let it find out.',
    });
  }
  if (pattern === undefined) return;
  const { n, m } = pattern;
  if (!Number.isInteger(n) || !Number.isInteger(m) || n < 1 || m <= n || m > 64) {
    throw new ConfigurationError({
      code: 'PRUNE_PATTERN',
      message: `No pattern keeps ${n} of every ${m} weights.`,
      advice: 'Use 2:4 or the like: n at least 1, m greater than n and at most 64.',
    });
  }
}
