/** Rounding by reconstruction for one layer: the scales that its rows may take, and for each row what loses least. */
import type { QuantizedWeight } from '../plan.js';
import { type Reconstruction, type ReconstructionOptions, reconstructRows } from './reconstruct-rows.js';
import { LARGEST_PAIR, largestPair } from './saturating-pairs.js';
import { gatherIntegers, gridOf, refineScales, scatterIntegers, type WeightGrids } from './weight-grids.js';
import { gatherRows, type WeightMatrix } from './weight-matrix.js';

export interface LayerProblem {
  readonly matrix: WeightMatrix;
  readonly grids: WeightGrids;
  /** As in ReconstructionProblem. */
  readonly limitsPairs: boolean;
}

export interface LayerReconstruction {
  readonly weight: QuantizedWeight;
  /** 10 · log10 of the error of the layer's outputs, nearest over reconstructed, in dB. */
  readonly gain: number;
}

interface Attempt {
  readonly scales: readonly number[];
  readonly result: Reconstruction;
}

/** @param grams Xᵀ X of each group @returns a string where the inputs say nothing */
export function reconstructLayer(
  layer: LayerProblem,
  grams: readonly Float64Array[],
  options: ReconstructionOptions,
): LayerReconstruction | string {
  const { matrix, grids, limitsPairs } = layer;
  const { rows, depth, rowsPerGroup } = matrix;
  const weights = gatherRows(matrix);
  // Groups whose inputs say nothing keep the nearest integers.
  const integers = gatherIntegers(matrix, grids);
  const own = grids.weight.parameters.scale;
  // A scale that rows share has to be chosen for all of them, and can be where they are all in one group.
  const isShared = own.length < rows;
  const candidates = isShared && grams.length > 1 ? [own] : candidateScales(layer, grams, weights, integers);
  const scale = [...own];
  let [error, nearestError, seen] = [0, 0, 0];
  for (const [group, gram] of grams.entries()) {
    const first = group * rowsPerGroup;
    const problem = {
      weights: weights.subarray(first * depth, (first + rowsPerGroup) * depth),
      rows: rowsPerGroup,
      depth,
      gram,
      lowest: grids.lowest,
      highest: grids.highest,
      limitsPairs,
    };
    const attempts = candidates.flatMap((scales): Attempt[] => {
      const at = gridOf(grids, scales);
      const result = reconstructRows({ ...problem, gridOf: (row, k) => at(first + row, k) }, options);
      return result === undefined ? [] : [{ scales, result }];
    });
    const [usual] = attempts;
    if (usual === undefined) continue;
    seen++;
    const bestOfAll = isShared ? leastOf(attempts, total) : undefined;
    for (let row = 0; row < rowsPerGroup; row++) {
      const { scales, result } = bestOfAll ?? leastOf(attempts, (attempt) => attempt.result.errors[row] ?? 0) ?? usual;
      integers.set(result.integers.subarray(row * depth, (row + 1) * depth), (first + row) * depth);
      for (let k = 0; k < depth; k++) {
        const index = grids.scaleIndexOf(first + row, k);
        scale[index] = scales[index] ?? 0;
      }
      error += result.errors[row] ?? 0;
      nearestError += usual.result.nearestErrors[row] ?? 0;
    }
  }
  if (seen === 0) return 'its inputs are all zero, or not finite';
  const parameters = { ...grids.weight.parameters, scale };
  const gain = error > 0 ? 10 * Math.log10(nearestError / error) : 0;
  return { weight: { integers: scatterIntegers(matrix, grids, integers), parameters }, gain };
}

/** The scheme's own scales first; then smaller ones, and larger ones where pairs are limited. */
function candidateScales(
  { matrix, grids, limitsPairs }: LayerProblem,
  grams: readonly Float64Array[],
  weights: Float32Array,
  integers: Int16Array,
): readonly (readonly number[])[] {
  const { depth, rows, rowsPerGroup } = matrix;
  const own = grids.weight.parameters.scale;
  const energy = (row: number, k: number) => grams[Math.floor(row / rowsPerGroup)]?.[k * depth + k] ?? 0;
  const candidates = [own, refineScales(matrix, grids, weights, energy)];
  if (!limitsPairs) return candidates;
  const excess = own.map(() => 1);
  for (let row = 0; row < rows; row++) {
    const largest = largestPair(integers.subarray(row * depth, (row + 1) * depth));
    const index = grids.scaleIndexOf(row, 0);
    excess[index] = Math.max(excess[index] ?? 1, largest / LARGEST_PAIR);
  }
  if (excess.every((factor) => factor === 1)) return candidates;
  for (const power of [0.5, 1]) {
    candidates.push(own.map((each, index) => Math.fround(each * (excess[index] ?? 1) ** power)));
  }
  return candidates;
}

function total({ result }: Attempt): number {
  return result.errors.reduce((sum, error) => sum + error, 0);
}

function leastOf(attempts: readonly Attempt[], loss: (attempt: Attempt) => number): Attempt | undefined {
  let [best, smallest] = [attempts[0], Number.POSITIVE_INFINITY];
  for (const attempt of attempts) {
    const found = loss(attempt);
    if (found < smallest) [best, smallest] = [attempt, found];
  }
  return best;
}
