/**
 * What a unit contributes: what would be missing from the outputs of everything that sums over it, as a part of their strength,
 * Σ w² · E[x²] / Σ E[y²]. It takes channels for uncorrelated; the fit of what stays makes up for the rest. (Counting only what varies,
 * because a bias can take up the mean, chose worse channels in the OCR angle classifier: a few dozen runs say little of variances.)
 */
import type { Tensor } from '../ir/tensor.js';
import type { MeasuredAxis, Strength } from './activations.js';
import type { DependencyGraph } from './dependency-graph.js';
import type { PruningGroup } from './groups.js';
import type { WeightUse } from './rules/rule.js';

/** The input and the output of everything that sums over units, with the axis that the units or the outputs are on. */
export function axesToMeasure(graph: DependencyGraph): MeasuredAxis[] {
  const axes = new Map<string, MeasuredAxis>();
  for (const use of graph.uses) {
    if (!use.node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) continue;
    const measured = [use.role === 'sink' ? inputAxis(use, graph) : undefined, outputAxis(use)];
    for (const axis of measured) if (axis !== undefined) axes.set(axis.value, axes.get(axis.value) ?? axis);
  }
  return [...axes.values()];
}

/** The activation that a sink multiplies. */
function dataOf({ node, value }: WeightUse) {
  return node.input(0) === value ? node.input(1) : node.input(0);
}

function inputAxis(use: WeightUse, graph: DependencyGraph): MeasuredAxis | undefined {
  const data = dataOf(use);
  const labels = data === undefined ? undefined : graph.labels.get(data);
  const axis = labels?.indexOf(use.ids) ?? -1;
  return data === undefined || labels === undefined || axis < 0
    ? undefined
    : { value: data.name, axis, rank: labels.length };
}

/** The channels. */
function outputAxis({ node }: WeightUse): MeasuredAxis | undefined {
  const { name, rank } = node.output();
  if (rank === undefined || rank < 2) return undefined;
  return { value: name, axis: node.is('Conv', 'ConvTranspose') ? 1 : rank - 1, rank };
}

/** By unit. Without data every activation counts as 1: the plain magnitude of the weights. */
export function contributions(
  graph: DependencyGraph,
  groups: readonly PruningGroup[],
  strengths: ReadonlyMap<string, Strength>,
): Map<number, number> {
  const scores = new Map<number, number>();
  for (const { units } of groups) for (const unit of units) scores.set(unit, 0);
  for (const use of graph.uses) {
    const tensor = use.value.initializer;
    if (use.role !== 'sink' || tensor === undefined) continue;
    const input = strengths.get(dataOf(use)?.name ?? '');
    const output = strengths.get(use.node.output().name);
    const squares = sumsOfSquares(tensor, use.axis);
    const total = output === undefined ? squares.reduce((a, b) => a + b, 0) : outputEnergy(output, tensor, use);
    for (const [index, id] of use.ids.entries()) {
      const unit = graph.units.find(id);
      const score = scores.get(unit);
      if (score === undefined) continue;
      const energy = (squares[index] ?? 0) * (input?.meanSquares[index] ?? 1);
      scores.set(unit, score + energy / (total || 1));
    }
  }
  return scores;
}

/** Sum over output channels. */
function outputEnergy({ meanSquares }: Strength, tensor: Tensor, use: WeightUse): number {
  const mean = meanSquares.reduce((a, b) => a + b, 0) / Math.max(1, meanSquares.length);
  return mean * outputsOf(tensor, use);
}

/** Output channels of a matrix or a convolution's weights: the other of the first two axes. */
function outputsOf(tensor: Tensor, { axis }: WeightUse): number {
  return tensor.dims[axis === 0 ? 1 : 0] ?? 1;
}

/** Along an axis, over everything else. */
export function sumsOfSquares(tensor: Tensor, axis: number): Float64Array {
  const numbers = tensor.typed() as Float32Array;
  const size = tensor.dims[axis] ?? 1;
  const inner = tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const sums = new Float64Array(size);
  for (const [index, number] of numbers.entries()) {
    const at = Math.floor(index / inner) % size;
    sums[at] = (sums[at] ?? 0) + number * number;
  }
  return sums;
}
