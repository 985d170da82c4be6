/** One node that lost inputs, and the least-squares fit that gives it new weights. */
import type { Model } from '../ir/model.js';
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import type { DependencyGraph } from './dependency-graph.js';
import type { NormalEquations } from './least-squares.js';
import { type LinearRows, linearRowsOf } from './linear-rows.js';

export interface Fit {
  readonly original: LinearRows;
  readonly pruned: LinearRows;
  /** Outputs of the original that the pruned node still has. */
  readonly kept: readonly number[];
  readonly hasBias: boolean;
  /** Rows that the fit is made with, over all runs. */
  readonly rows: number;
  /** Where something is added to the output: the sum is what has to be met, so that the fit makes up for the other part as well. */
  readonly residual: Residual | undefined;
}

/** Output + skip = sum. */
export interface Residual {
  /** In the original. */
  readonly sum: string;
  /** In the pruned model; does not depend on the fitted node. */
  readonly skip: Value;
}

/** What a fit did to one node, on the rows it was made with: |X·W - Y|² / |Y|². */
export interface RecoveredNode {
  readonly node: string;
  readonly errorBefore: number;
  readonly errorAfter: number;
}

export interface Fits {
  /** In the order of the graph. */
  readonly fits: readonly Fit[];
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

/** Unknowns of one output, squared, that are summed up at the same time: 64 MB of doubles. */
export const MAXIMUM_GRAM = 8_000_000;

/** @param rowsPerInput rows of each fit for every unknown of an output */
export function fitsOf(
  pruned: Model,
  graph: DependencyGraph,
  removed: ReadonlySet<number>,
  rowsPerInput: number,
): Fits {
  const goes = (id: number) => removed.has(graph.units.find(id));
  const byOutput = new Map(pruned.graph.nodes.map((node) => [node.outputs[0]?.name, node]));
  const fits: Fit[] = [];
  const declined: { node: string; reason: string }[] = [];
  const sinks = graph.uses.filter(({ role, ids }) => role === 'sink' && ids.some(goes));
  for (const node of new Set(sinks.map((use) => use.node))) {
    const twin = byOutput.get(node.outputs[0]?.name);
    if (twin === undefined) continue;
    const [before, after] = [linearRowsOf(node), linearRowsOf(twin)];
    const decline = (reason: string) => declined.push({ node: node.describe(), reason });
    if (typeof before === 'string') decline(before);
    else if (typeof after === 'string') decline(after);
    else if (after.weight.uses.size > 1) decline('its weights serve other nodes too');
    else if ((after.inputs + 1) ** 2 > MAXIMUM_GRAM) decline(`${after.inputs} inputs are more than a fit takes`);
    else {
      const source = graph.uses.find((use) => use.node === node && use.role === 'source');
      const kept = Array.from({ length: before.outputs }, (_, index) => index).filter(
        (index) => source === undefined || !goes(source.ids[index] ?? 0),
      );
      const rows = Math.max(2048, rowsPerInput * after.inputs);
      const residual = residualOf(before, after);
      fits.push({ original: before, pruned: after, kept, hasBias: after.bias !== undefined, rows, residual });
    }
  }
  return { fits, declined };
}

/** The Add behind a node, or behind the bias that follows it. */
function residualOf(original: LinearRows, pruned: LinearRows): Residual | undefined {
  const [before, after] = [addBehind(original), addBehind(pruned)];
  if (before === undefined || after === undefined) return undefined;
  // What is broadcast has rows of another kind.
  const [skip, sum] = [before.skip.type, before.sum.type].map((type) =>
    type?.kind === 'tensor' ? type.shape : undefined,
  );
  const isWhole = skip !== undefined && skip.length === sum?.length && skip.every((dim, axis) => dim === sum[axis]);
  return isWhole ? { sum: before.sum.name, skip: after.skip } : undefined;
}

function addBehind({ node, bias }: LinearRows): { readonly sum: Value; readonly skip: Value } | undefined {
  const isApart = bias !== undefined && node.input(2) === undefined;
  const last = isApart ? node.output().soleConsumer?.output() : node.output();
  const add = last?.soleConsumer;
  if (last === undefined || !add?.is('Add')) return undefined;
  const skip = add.input(0) === last ? add.input(1) : add.input(0);
  return skip === undefined || skip === last || skip.initializer !== undefined
    ? undefined
    : { sum: add.output(), skip };
}

/** Weights of a node, and the bias that is fitted with them, by name. */
export function parametersOf({ pruned }: Fit): Map<string, Tensor> {
  const parameters = new Map<string, Tensor>();
  for (const value of [pruned.weight, pruned.bias]) {
    if (value?.initializer !== undefined) parameters.set(value.name, value.initializer);
  }
  return parameters;
}

/** @param ridge as in `NormalEquations.solve` */
export function solveFit(
  { pruned, hasBias }: Fit,
  equations: NormalEquations,
  ridge: number,
): { readonly node: RecoveredNode; readonly changed: Map<string, Tensor> } {
  const weight = pruned.weight.initializer;
  if (weight === undefined) throw new TypeError(`${pruned.node.describe()} has lost its weights`);
  const bias = pruned.bias?.initializer;
  const prior = new Float64Array(equations.inputs * equations.outputs);
  prior.set(pruned.toMatrix(weight));
  // What is added behind a MatMul is not in its output: there the fit finds a change of it.
  const isInside = pruned.node.input(2) !== undefined;
  const biasStart = pruned.inputs * pruned.outputs;
  if (hasBias && isInside && bias !== undefined) prior.set(bias.numbers(), biasStart);
  const solution = equations.solve(prior, ridge);
  const matrix = pruned.fromMatrix(solution.subarray(0, biasStart), weight);
  const changed = new Map([[pruned.weight.name, Tensor.fromTyped('float32', weight.dims, matrix)]]);
  if (pruned.bias !== undefined && bias !== undefined) {
    const numbers = bias.numbers().map((number, index) => (solution[biasStart + index] ?? 0) + (isInside ? 0 : number));
    changed.set(pruned.bias.name, Tensor.fromNumbers('float32', bias.dims, numbers));
  }
  const scale = equations.targetEnergy || 1;
  return {
    node: {
      node: pruned.node.describe(),
      errorBefore: equations.residual(prior) / scale,
      errorAfter: equations.residual(solution) / scale,
    },
    changed,
  };
}
