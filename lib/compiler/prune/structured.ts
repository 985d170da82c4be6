/** Channels, heads and feed-forward widths: chosen, taken out, and made up for. */
import type { DataSet } from '../data/data-set.js';
import { copyModel } from '../ir/copy.js';
import type { Model } from '../ir/model.js';
import type { Tensor } from '../ir/tensor.js';
import { replaceWeights } from '../passes/replace-weights.js';
import { measureStrengths, type Strength } from './activations.js';
import { Cost, type Objective } from './cost.js';
import { type DependencyGraph, dependencyGraph } from './dependency-graph.js';
import { type Groups, pruningGroups } from './groups.js';
import { axesToMeasure, contributions } from './importance.js';
import type { ProbeOptions } from './probe.js';
import { type Recovery, type RecoveryOptions, recoverWeights } from './recovery.js';
import { constantsWithout } from './remove-units.js';
import { selectUnits } from './select-units.js';

export interface StructuredOptions extends ProbeOptions {
  /** Part of the cost to save, 0 to 1. */
  readonly ratio: number;
  /** What is saved: multiplications (`latency`, the default) or numbers in weights (`size`). */
  readonly objective?: Objective;
  /** Largest part of a group that may go. Default 0.75. */
  readonly maximumGroupRatio?: number;
  /** Groups of at least twice this many channels keep a multiple of it: onnxruntime's kernels work on blocks of 8 or 16. Default 8. */
  readonly multipleOf?: number;
  /** Default true, if there is data. */
  readonly recover?: boolean;
  readonly recovery?: Pick<RecoveryOptions, 'runs' | 'rowsPerInput' | 'ridge' | 'seed' | 'onNode'>;
}

/** What is known of a model before anything is chosen: measured once, used for every ratio. */
export interface PruningAnalysis {
  /** Prepared: constants unshared, types inferred. */
  readonly model: Model;
  readonly graph: DependencyGraph;
  readonly groups: Groups;
  readonly strengths: ReadonlyMap<string, Strength>;
}

export interface PrunedUnits {
  readonly group: string;
  readonly kind: Groups['groups'][number]['kind'];
  readonly before: number;
  readonly removed: number;
}

export interface StructuredPruning {
  readonly model: Model;
  readonly weights: Map<string, Tensor>;
  readonly removed: readonly PrunedUnits[];
  /** Multiplications or numbers in weights of what the groups touch. */
  readonly cost: { readonly before: number; readonly after: number };
  readonly recovery: Pick<Recovery, 'recovered' | 'declined'>;
}

/** @param model prepared: see `prepareForPruning` */
export async function analyze(
  model: Model,
  data: DataSet | undefined,
  options: ProbeOptions & { readonly runs?: number; readonly onRun?: (run: number) => void } = {},
): Promise<PruningAnalysis> {
  const graph = dependencyGraph(model);
  const groups = pruningGroups(graph);
  const strengths =
    data === undefined || groups.groups.length === 0
      ? new Map<string, Strength>()
      : await measureStrengths(model, axesToMeasure(graph), data, options);
  return { model, graph, groups, strengths };
}

export async function pruneStructured(
  analysis: PruningAnalysis,
  data: DataSet | undefined,
  options: StructuredOptions,
): Promise<StructuredPruning> {
  const { model, graph, groups, strengths } = analysis;
  const recovers = data !== undefined && (options.recover ?? true);
  const scores = contributions(graph, groups.groups, strengths);
  const cost = new Cost(graph, options.objective ?? 'latency', strengths);
  const removed = selectUnits(groups.groups, scores, cost, {
    ratio: options.ratio,
    maximumGroupRatio: options.maximumGroupRatio ?? 0.75,
    multipleOf: options.multipleOf ?? 8,
  });
  const weights = constantsWithout(graph, removed);
  const pruned = copyModel(model);
  replaceWeights(weights).run(pruned);
  let recovery: Pick<Recovery, 'recovered' | 'declined'> = { recovered: [], declined: [] };
  if (recovers && removed.size > 0) {
    const found = await recoverWeights(model, pruned, graph, removed, data, {
      ...options.recovery,
      ...probeOptions(options),
    });
    for (const [name, tensor] of found.weights) weights.set(name, tensor);
    recovery = { recovered: found.recovered, declined: found.declined };
  }
  return {
    model: pruned,
    weights,
    removed: prunedUnits(groups, removed),
    cost: { before: cost.total, after: cost.current },
    recovery,
  };
}

function probeOptions({ signal, threads }: ProbeOptions): ProbeOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(threads === undefined ? {} : { threads }) };
}

export function prunedUnits({ groups }: Groups, removed: ReadonlySet<number>): PrunedUnits[] {
  return groups.flatMap(({ name, kind, units }) => {
    const count = units.filter((unit) => removed.has(unit)).length;
    return count === 0 ? [] : [{ group: name, kind, before: units.length, removed: count }];
  });
}
