/**
 * Gives everything that lost inputs new weights, fitted so that on what the pruned model now feeds it, it computes what the original
 * computes there: node by node from the input on, so that each makes up for what those in front of it still get wrong.
 */
import type { DataSet, Feeds } from '../data/data-set.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import { dependenciesOf } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { replaceWeights } from '../passes/replace-weights.js';
import type { DependencyGraph } from './dependency-graph.js';
import { type Fit, type Fits, fitsOf, MAXIMUM_GRAM, parametersOf, type RecoveredNode, solveFit } from './fit.js';
import { addRows, floats, type TargetRows, targetRowsOf } from './fit-rows.js';
import { NormalEquations } from './least-squares.js';
import { CalibrationRuns, openProbe, type ProbeOptions } from './probe.js';

export interface RecoveryOptions extends ProbeOptions {
  /** Runs of calibration data. Default 32. */
  readonly runs?: number;
  /** Rows of each fit for every unknown of an output. Default 8, and 2,048 rows at least. */
  readonly rowsPerInput?: number;
  /**
   * How close the weights stay to those before, as a part of the inputs' mean strength. Default 0.01, the best of four on
   * the OCR angle classifier at a tenth and a fifth of its cost: with a tenth of it, a few dozen runs fitted 2.5 and 7 dB worse.
   */
  readonly ridge?: number;
  readonly seed?: number;
  readonly onNode?: (done: number, count: number) => void;
}

export interface Recovery {
  /** By initializer's name in the pruned model. */
  readonly weights: Map<string, Tensor>;
  readonly recovered: readonly RecoveredNode[];
  /** Nodes that lost inputs and keep their weights, with the reason. */
  readonly declined: Fits['declined'];
}

/** Waves that share a session, whose weights are fed with each run. */
const MAXIMUM_WAVES = 8;
const MAXIMUM_FED_BYTES = 8_000_000;
/** Targets that are kept in memory. */
const MAXIMUM_TARGET_BYTES = 64_000_000;

/** Fits that do not depend on each other. */
type Wave = readonly Fit[];

/**
 * @param original what `graph` was made of
 * @param pruned a copy of it without the removed units; its weights are changed in place
 */
export async function recoverWeights(
  original: Model,
  pruned: Model,
  graph: DependencyGraph,
  removed: ReadonlySet<number>,
  data: DataSet,
  options: RecoveryOptions = {},
): Promise<Recovery> {
  const { fits, declined } = fitsOf(pruned, graph, removed, options.rowsPerInput ?? 8);
  const recovered: RecoveredNode[] = [];
  const weights = new Map<string, Tensor>();
  const runs = new CalibrationRuns(original, data, options.runs ?? 32, options);
  for (const batch of batchesOf(wavesOf(pruned, fits))) {
    options.signal?.throwIfAborted();
    const targets = await gatherTargets(original, batch.flat(), runs, options);
    for await (const { node, changed } of fitBatch(pruned, batch, targets, runs, options)) {
      recovered.push(node);
      for (const [name, tensor] of changed) weights.set(name, tensor);
      options.onNode?.(recovered.length, fits.length);
    }
  }
  return { weights, recovered, declined };
}

function wavesOf(model: Model, fits: readonly Fit[]): Wave[] {
  const fitOf = new Map<Node, Fit>(fits.map((fit) => [fit.pruned.node, fit]));
  const depths = new Map<Node, number>();
  const depthOf = ({ producer }: Value): number =>
    producer === undefined ? 0 : (depths.get(producer) ?? 0) + (fitOf.has(producer) ? 1 : 0);
  const waves: Fit[][] = [];
  for (const node of model.graph.nodes) {
    const depth = Math.max(0, ...[...dependenciesOf(node)].map(depthOf));
    depths.set(node, depth);
    const fit = fitOf.get(node);
    if (fit === undefined) continue;
    waves[depth] ??= [];
    waves[depth]?.push(fit);
  }
  // What is added must be settled when the fit is made: a branch that is fitted later, or not yet known here, cannot be made up for.
  for (const [depth, wave] of waves.entries()) {
    for (const [index, fit] of wave.entries()) {
      const { skip } = fit.residual ?? {};
      if (skip === undefined || (isKnownAt(skip, depths) && depthOf(skip) <= depth)) continue;
      wave[index] = { ...fit, residual: undefined };
    }
  }
  const size = (fit: Fit) => (fit.pruned.inputs + 1) ** 2;
  return waves.flatMap((wave) => splitBy(wave, (part) => sum(part, size) <= MAXIMUM_GRAM));
}

function isKnownAt({ producer }: Value, depths: ReadonlyMap<Node, number>): boolean {
  return producer === undefined || depths.has(producer);
}

function batchesOf(waves: readonly Wave[]): Wave[][] {
  const fed = (fit: Fit) => sum([...parametersOf(fit).values()], (tensor) => tensor.byteLength);
  const kept = (fit: Fit) => fit.rows * fit.kept.length * 4;
  return splitBy(waves, (part) => {
    const fits = part.flat();
    if (part.length > MAXIMUM_WAVES) return false;
    return sum(fits, fed) <= MAXIMUM_FED_BYTES && sum(fits, kept) <= MAXIMUM_TARGET_BYTES;
  });
}

/** Runs of items that fit together; an item that fits nowhere stands alone. */
function splitBy<T>(items: readonly T[], fits: (part: readonly T[]) => boolean): T[][] {
  const parts: T[][] = [];
  for (const item of items) {
    const last = parts.at(-1);
    if (last !== undefined && fits([...last, item])) last.push(item);
    else parts.push([item]);
  }
  return parts;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** For each fit what the original computes, run by run. */
async function gatherTargets(
  original: Model,
  fits: readonly Fit[],
  runs: CalibrationRuns,
  options: RecoveryOptions,
): Promise<Map<Fit, TargetRows[]>> {
  const names = fits.map((fit) => fit.residual?.sum ?? fit.original.node.output().name);
  const targets = new Map<Fit, TargetRows[]>(fits.map((fit) => [fit, []]));
  await using probe = await openProbe(original, names, options);
  let run = 0;
  for await (const feeds of runs) {
    const outputs = await probe.run(feeds);
    for (const [index, fit] of fits.entries()) {
      const output = floats(outputs, names[index]);
      const seed = (options.seed ?? 1) * 1_000_003 + run * 1_009 + index;
      if (output !== undefined)
        targets.get(fit)?.push(targetRowsOf(fit, output, Math.ceil(fit.rows / runs.count), seed));
    }
    run++;
  }
  return targets;
}

/** Wave by wave, each on what the model computes with the weights that those before it got. */
async function* fitBatch(
  pruned: Model,
  batch: readonly Wave[],
  targets: ReadonlyMap<Fit, readonly TargetRows[]>,
  runs: CalibrationRuns,
  options: RecoveryOptions,
): AsyncGenerator<ReturnType<typeof solveFit>> {
  const current = new Map(batch.slice(0, -1).flatMap((wave) => wave.flatMap((fit) => [...parametersOf(fit)])));
  const inputs = new Set(pruned.graph.inputs.map(({ name }) => name));
  const sourceOf = (fit: Fit) => fit.pruned.node.input(0)?.name ?? '';
  const neededBy = (fits: readonly Fit[]) => {
    const needed = new Set(fits.flatMap((fit) => [sourceOf(fit), ...(fit.residual ? [fit.residual.skip.name] : [])]));
    return [...needed].filter((name) => !inputs.has(name));
  };
  const names = neededBy(batch.flat());
  await using probe = await openProbe(pruned, names, options, { asInputs: [...current.keys()] });
  for (const wave of batch) {
    const equations = wave.map(
      ({ pruned: { inputs, outputs }, hasBias }) => new NormalEquations(inputs + Number(hasBias), outputs),
    );
    const wanted = neededBy(wave);
    let run = 0;
    for await (const feeds of runs) {
      const values =
        wanted.length === 0 ? feeds : { ...feeds, ...(await probe.run({ ...feeds, ...asFeeds(current) }, wanted)) };
      for (const [index, fit] of wave.entries()) {
        const [input, rows, sums] = [floats(values, sourceOf(fit)), targets.get(fit)?.[run], equations[index]];
        const skip = floats(values, fit.residual?.skip.name);
        if (input === undefined || rows === undefined || sums === undefined) continue;
        addRows(fit, sums, input, rows, skip);
      }
      run++;
    }
    for (const [index, fit] of wave.entries()) {
      const sums = equations[index];
      if (sums === undefined || sums.rows === 0) continue;
      const solved = solveFit(fit, sums, options.ridge ?? 1e-2);
      for (const [name, tensor] of solved.changed) if (current.has(name)) current.set(name, tensor);
      replaceWeights(solved.changed).run(pruned);
      yield solved;
    }
  }
}

function asFeeds(weights: ReadonlyMap<string, Tensor>): Feeds {
  return Object.fromEntries(
    [...weights].map(([name, tensor]) => [name, { dataType: 'float32', dims: tensor.dims, data: tensor.typed() }]),
  );
}
