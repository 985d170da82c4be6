/**
 * Gives everything that lost inputs new weights, fitted so that on what the pruned model now feeds it, it computes what the original
 * computes there: node by node from the input on, so that each makes up for what those in front of it still get wrong.
 */
import type { DataSet, Feeds } from '../data/data-set.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { dependenciesOf } from '../ir/traversal.js';
import { replaceWeights } from '../passes/replace-weights.js';
import { randomNumbers } from '../runtime/sample-inputs.js';
import type { DependencyGraph } from './dependency-graph.js';
import { NormalEquations } from './least-squares.js';
import { type FloatTensor, type LinearRows, linearRowsOf } from './linear-rows.js';
import { openProbe, type ProbeOptions, runsOf } from './probe.js';

export interface RecoveryOptions extends ProbeOptions {
  /** Runs of calibration data. Default 32. */
  readonly runs?: number;
  /** Rows of each fit for every unknown of an output. Default 8, and 2,048 rows at least. */
  readonly rowsPerInput?: number;
  /** How close the weights stay to those before, as a part of the inputs' mean strength. Default 1e-4. */
  readonly ridge?: number;
  readonly seed?: number;
  readonly onNode?: (done: number, count: number) => void;
}

/** What a fit did to one node, on the rows it was made with: |X·W - Y|² / |Y|². */
export interface RecoveredNode {
  readonly node: string;
  readonly errorBefore: number;
  readonly errorAfter: number;
}

export interface Recovery {
  /** By initializer's name in the pruned model. */
  readonly weights: Map<string, Tensor>;
  readonly recovered: readonly RecoveredNode[];
  /** Nodes that lost inputs and keep their weights, with the reason. */
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

/** Unknowns of one output, squared, that are summed up at the same time: 64 MB of doubles. */
const MAXIMUM_GRAM = 8_000_000;

interface Fit {
  readonly original: LinearRows;
  readonly pruned: LinearRows;
  /** Outputs of the original that the pruned node still has. */
  readonly kept: readonly number[];
  readonly hasBias: boolean;
}

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
  const { fits, declined } = fitsOf(pruned, graph, removed);
  const recovered: RecoveredNode[] = [];
  const weights = new Map<string, Tensor>();
  let done = 0;
  for (const wave of wavesOf(pruned, fits)) {
    options.signal?.throwIfAborted();
    const equations = await gather(original, pruned, wave, data, options);
    for (const [index, fit] of wave.entries()) {
      const equation = equations[index];
      if (equation === undefined || equation.rows === 0) continue;
      const { node, changed } = solve(fit, equation, options.ridge ?? 1e-4);
      recovered.push(node);
      for (const [name, tensor] of changed) weights.set(name, tensor);
      replaceWeights(changed).run(pruned);
      options.onNode?.(++done, fits.length);
    }
  }
  return { weights, recovered, declined };
}

function fitsOf(
  pruned: Model,
  graph: DependencyGraph,
  removed: ReadonlySet<number>,
): { readonly fits: Fit[]; readonly declined: Recovery['declined'] } {
  const goes = (id: number) => removed.has(graph.units.find(id));
  const byOutput = new Map(pruned.graph.nodes.map((node) => [node.outputs[0]?.name, node]));
  const fits: Fit[] = [];
  const declined: { node: string; reason: string }[] = [];
  const affected = new Set(graph.uses.filter(({ role, ids }) => role === 'sink' && ids.some(goes)).map(({ node }) => node));
  for (const node of affected) {
    const twin = byOutput.get(node.outputs[0]?.name);
    if (twin === undefined) continue;
    const [before, after] = [linearRowsOf(node), linearRowsOf(twin)];
    const shared = (twin.input(1)?.uses.size ?? 0) > 1;
    if (typeof before === 'string' || typeof after === 'string' || shared) {
      const reason = shared ? 'its weights serve other nodes too' : [before, after].find((it) => typeof it === 'string');
      declined.push({ node: node.describe(), reason: String(reason) });
    } else if ((after.inputs + 1) ** 2 > MAXIMUM_GRAM) {
      declined.push({ node: node.describe(), reason: `${after.inputs} inputs are more than a fit takes` });
    } else {
      const source = graph.uses.find((use) => use.node === node && use.role === 'source');
      const kept = Array.from({ length: before.outputs }, (_, index) => index).filter(
        (index) => source === undefined || !goes(source.ids[index] ?? 0),
      );
      fits.push({ original: before, pruned: after, kept, hasBias: after.bias !== undefined });
    }
  }
  return { fits, declined };
}

/** Fits in order; those of one wave do not depend on each other, and fit into memory together. */
function wavesOf(model: Model, fits: readonly Fit[]): Fit[][] {
  const fitOf = new Map<Node, Fit>(fits.map((fit) => [fit.pruned.node, fit]));
  const depths = new Map<Node, number>();
  const waves: Fit[][] = [];
  for (const node of model.graph.nodes) {
    let depth = 0;
    for (const { producer } of dependenciesOf(node)) {
      if (producer === undefined) continue;
      depth = Math.max(depth, (depths.get(producer) ?? 0) + (fitOf.has(producer) ? 1 : 0));
    }
    depths.set(node, depth);
    const fit = fitOf.get(node);
    if (fit === undefined) continue;
    waves[depth] ??= [];
    waves[depth]?.push(fit);
  }
  return waves.flatMap((wave) => {
    const parts: Fit[][] = [[]];
    let size = 0;
    for (const fit of wave) {
      size += (fit.pruned.inputs + 1) ** 2;
      if (size > MAXIMUM_GRAM) {
        parts.push([]);
        size = (fit.pruned.inputs + 1) ** 2;
      }
      parts.at(-1)?.push(fit);
    }
    return parts;
  });
}

async function gather(
  original: Model,
  pruned: Model,
  wave: readonly Fit[],
  data: DataSet,
  options: RecoveryOptions,
): Promise<NormalEquations[]> {
  const runs = Math.min(options.runs ?? 32, Math.max(1, data.ids.length));
  const random = randomNumbers(options.seed ?? 1);
  const equations = wave.map(({ pruned: { inputs, outputs }, hasBias }) => new NormalEquations(inputs + Number(hasBias), outputs));
  const outputs = wave.map(({ original: { node } }) => node.output().name);
  const inputs = wave.map(({ pruned: { node } }) => node.input(0)?.name ?? '');
  await using targets = await openProbe(original, outputs, options);
  await using sources = await openProbe(pruned, inputs.filter((name) => !isInput(pruned, name)), options);
  for await (const feeds of runsOf(original, data, runs, options)) {
    const [y, x] = [await targets.run(feeds), { ...feeds, ...(await sources.run(feeds)) }];
    for (const [index, fit] of wave.entries()) {
      const equation = equations[index];
      const [input, output] = [floats(x, inputs[index]), floats(y, outputs[index])];
      if (equation === undefined || input === undefined || output === undefined) continue;
      const wanted = Math.max(2048, (options.rowsPerInput ?? 8) * fit.pruned.inputs);
      addRows(fit, equation, input, output, Math.ceil(wanted / runs), random);
    }
  }
  return equations;
}

function isInput(model: Model, name: string): boolean {
  return model.graph.inputs.some((value) => value.name === name);
}

function floats(from: Feeds, name: string | undefined): FloatTensor | undefined {
  const tensor = name === undefined ? undefined : from[name];
  return tensor?.data instanceof Float32Array ? { dims: tensor.dims, data: tensor.data } : undefined;
}

/** Rows of one run, picked by chance where there are more than wanted. */
function addRows(
  { original, pruned, kept, hasBias }: Fit,
  equation: NormalEquations,
  input: FloatTensor,
  output: FloatTensor,
  wanted: number,
  random: () => number,
): void {
  const count = original.rowCount(output);
  const x = new Float64Array(pruned.inputs + Number(hasBias));
  if (hasBias) x[pruned.inputs] = 1;
  const whole = new Float64Array(original.outputs);
  const y = new Float64Array(kept.length);
  const stride = Math.max(1, count / wanted);
  for (let at = 0; at < count; at += stride) {
    const row = Math.min(count - 1, Math.floor(at + random() * (stride - 1)));
    pruned.inputRow(input, output, row, x);
    original.outputRow(output, row, whole);
    for (const [column, index] of kept.entries()) y[column] = whole[index] ?? 0;
    equation.add(x, y);
  }
}

function solve(
  { pruned, hasBias }: Fit,
  equation: NormalEquations,
  ridge: number,
): { readonly node: RecoveredNode; readonly changed: Map<string, Tensor> } {
  const weight = pruned.node.constantInput(1);
  if (weight === undefined) throw new TypeError(`${pruned.node.describe()} has lost its weights`);
  const bias = pruned.bias?.initializer;
  const prior = new Float64Array(equation.inputs * equation.outputs);
  prior.set(pruned.toMatrix(weight));
  // What is added behind a MatMul is not in its output: there the fit finds a change of it.
  const isInside = pruned.node.input(2) !== undefined;
  const biasStart = pruned.inputs * pruned.outputs;
  if (hasBias && isInside && bias !== undefined) prior.set(bias.numbers(), biasStart);
  const solution = equation.solve(prior, ridge);
  const changed = new Map<string, Tensor>([
    [
      pruned.weight.name,
      Tensor.fromTyped('float32', weight.dims, pruned.fromMatrix(solution.subarray(0, biasStart), weight)),
    ],
  ]);
  if (pruned.bias !== undefined && bias !== undefined) {
    const before = bias.numbers();
    const numbers = before.map((number, index) => (solution[biasStart + index] ?? 0) + (isInside ? 0 : number));
    changed.set(pruned.bias.name, Tensor.fromNumbers('float32', bias.dims, numbers));
  }
  const scale = equation.targetEnergy || 1;
  return {
    node: {
      node: pruned.node.describe(),
      errorBefore: equation.residual(prior) / scale,
      errorAfter: equation.residual(solution) / scale,
    },
    changed,
  };
}
