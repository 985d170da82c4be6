/** The grids of integers that recipes spread a layer's weights over, and finer ones that clip a few weights for the sake of the rest. */
import type { Recipe } from '../../../artifact/recipe.js';
import { Tensor } from '../../ir/tensor.js';
import { channelsOf } from '../parameters/channels.js';
import { fullRange } from '../parameters/integer-range.js';
import { quantizeWeight } from '../parameters/quantize-weight.js';
import { roundHalfToEven } from '../parameters/rounding.js';
import type { QuantizedWeight } from '../plan.js';
import { quantizeBlocks } from '../schemes/blockwise/quantize-blocks.js';
import { channelAxisOf } from './channel-axis.js';
import type { Grid } from './reconstruct-rows.js';
import type { WeightMatrix } from './weight-matrix.js';

export interface WeightGrids {
  /** As the scheme itself would choose it. */
  readonly weight: QuantizedWeight;
  readonly lowest: number;
  readonly highest: number;
  /** Which of the parameters' scales is that of an element. */
  scaleIndexOf(row: number, k: number): number;
}

/** A string says why the weights have no grid by this recipe. */
export function weightGridsOf(matrix: WeightMatrix, recipe: Recipe): WeightGrids | string {
  const { node, tensor, name, depth } = matrix;
  switch (recipe.scheme) {
    case 'matmul-nbits': {
      const transposed = node.int('transB', 0) === 1;
      const blocks = Math.ceil(depth / recipe.blockSize);
      return {
        weight: quantizeBlocks(name, tensor, transposed, recipe),
        lowest: 0,
        highest: 2 ** recipe.bits - 1,
        scaleIndexOf: (row, k) => row * blocks + Math.floor(k / recipe.blockSize),
      };
    }
    case 'int8-weight-only':
    case 'int8-dynamic':
    case 'int8-static': {
      const dataType = recipe.scheme === 'int8-weight-only' ? 'int8' : recipe.weights;
      const axis = recipe.perChannel ? { axis: channelAxisOf(node, tensor.dims) } : {};
      const reduceRange = recipe.scheme === 'int8-weight-only' ? false : recipe.reduceRange;
      const weight = quantizeWeight(name, tensor, { dataType, reduceRange, ...axis });
      const { count, inner } = channelsOf(tensor.dims, axis.axis);
      const { lowest, highest } = usedRange(weight, reduceRange);
      return {
        weight,
        lowest,
        highest,
        scaleIndexOf: (row, k) => Math.floor(matrix.indexOf(row, k) / inner) % count,
      };
    }
    default:
      return `${recipe.scheme} has no integers to choose`;
  }
}

/** Without the lowest signed integer, so that the grid is the same on both sides; half of it where a bit is spared. */
function usedRange({ parameters }: QuantizedWeight, reduceRange: boolean): { lowest: number; highest: number } {
  const { lowest, highest } = fullRange(parameters.dataType);
  if (lowest < 0) return reduceRange ? { lowest: -64, highest: 64 } : { lowest: -highest, highest };
  return { lowest, highest: reduceRange ? (highest - 1) / 2 : highest };
}

/** How far a scale may shrink, and in how many steps. */
const STEPS = 10;
const SMALLEST = 0.6;

/**
 * Scales under which the weights, each weighed by the energy of its input, are nearest to their nearest integers. Zero points stay.
 * @param energy Σ x² of input k for a row's group
 */
export function refineScales(
  matrix: WeightMatrix,
  grids: WeightGrids,
  weights: Float32Array,
  energy: (row: number, k: number) => number,
): number[] {
  const { scale, zeroPoint } = grids.weight.parameters;
  const factors = Array.from({ length: STEPS + 1 }, (_, step) => 1 - ((1 - SMALLEST) * step) / STEPS);
  const losses = factors.map(() => new Float64Array(scale.length));
  for (let row = 0; row < matrix.rows; row++) {
    for (let k = 0; k < matrix.depth; k++) {
      const index = grids.scaleIndexOf(row, k);
      const weight = weights[row * matrix.depth + k] ?? 0;
      const [own = 0, zero = 0] = [scale[index], zeroPoint[index]];
      const importance = energy(row, k);
      for (const [step, factor] of factors.entries()) {
        const loss = losses[step];
        if (loss === undefined) continue;
        const tried = own * factor;
        const rounded = tried === 0 ? 0 : roundHalfToEven(weight / tried) + zero;
        const integer = Math.max(grids.lowest, Math.min(rounded, grids.highest));
        loss[index] = (loss[index] ?? 0) + importance * (weight - (integer - zero) * tried) ** 2;
      }
    }
  }
  return scale.map((own, index) => {
    let [best, smallest] = [1, Number.POSITIVE_INFINITY];
    for (const [step, factor] of factors.entries()) {
      const loss = losses[step]?.[index] ?? Number.POSITIVE_INFINITY;
      if (loss < smallest) [best, smallest] = [factor, loss];
    }
    return Math.fround(own * best);
  });
}

/** Grids by element, for scales of `grids` or others in their place. */
export function gridOf(grids: WeightGrids, scale: readonly number[]): (row: number, k: number) => Grid {
  const { zeroPoint } = grids.weight.parameters;
  const all = scale.map((each, index) => ({ scale: each, zeroPoint: zeroPoint[index] ?? 0 }));
  const none = { scale: 0, zeroPoint: 0 };
  return (row, k) => all[grids.scaleIndexOf(row, k)] ?? none;
}

/** The integers of the weight, row after row. */
export function gatherIntegers(matrix: WeightMatrix, grids: WeightGrids): Int16Array {
  const stored = grids.weight.integers.typed() as Int8Array;
  const integers = new Int16Array(matrix.rows * matrix.depth);
  for (let row = 0, at = 0; row < matrix.rows; row++) {
    for (let k = 0; k < matrix.depth; k++, at++) integers[at] = stored[matrix.indexOf(row, k)] ?? 0;
  }
  return integers;
}

/** Integers row by row, back where the weights lie in the tensor. */
export function scatterIntegers(matrix: WeightMatrix, grids: WeightGrids, integers: Int16Array): Tensor {
  const { elementType, dims, count } = grids.weight.integers;
  const stored = elementType === 'int8' ? new Int8Array(count) : new Uint8Array(count);
  for (let row = 0, at = 0; row < matrix.rows; row++) {
    for (let k = 0; k < matrix.depth; k++, at++) stored[matrix.indexOf(row, k)] = integers[at] ?? 0;
  }
  return Tensor.fromTyped(elementType, dims, stored);
}
