/**
 * Keeps int8 weights from saturating on x64 without VNNI, where onnxruntime adds pairs of uint8 · int8 products in 16 bits. Channels that
 * cannot saturate keep their bits, unlike with 7-bit weights for all.
 */
import type { Recipe } from '../../../artifact/recipe.js';
import { Tensor } from '../../ir/tensor.js';
import { channelsOf } from '../parameters/channels.js';
import { quantizeWeight } from '../parameters/quantize-weight.js';
import type { QuantizedWeight } from '../plan.js';
import type { Assignment } from '../scheme.js';
import { channelAxisOf } from './channel-axis.js';
import { guardRow } from './saturating-pairs.js';
import { gatherRows, isDepthwise, type WeightMatrix, weightMatricesOf } from './weight-matrix.js';

export interface GuardOptions {
  /** float32 weights that replace the model's, by the initializer's name. */
  readonly weights?: ReadonlyMap<string, Tensor>;
  /** Integers that were chosen already, by the initializer's name. Default: those of rounding to the nearest. */
  readonly quantizedWeights?: ReadonlyMap<string, QuantizedWeight>;
}

export interface GuardedWeight {
  /** The initializer's name. */
  readonly tensor: string;
  /** Scales in all, and how many of them belong to weights that had to be changed. */
  readonly channels: number;
  readonly changed: number;
}

export interface SaturationGuard {
  /** Those of the options, with the guarded ones in their place and added. */
  readonly quantizedWeights: ReadonlyMap<string, QuantizedWeight>;
  readonly guarded: readonly GuardedWeight[];
  /** Weights that may saturate and could not be helped, and why. */
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

/** Weights that several nodes read in different orders are gone through again until all are content. */
const SWEEPS = 8;

/** Guards the weights of every node that multiplies uint8 by int8. Looks at the nodes and changes nothing of them. */
export function guardSaturation(assignments: readonly Assignment[], options: GuardOptions = {}): SaturationGuard {
  const quantizedWeights = new Map(options.quantizedWeights);
  const guarded = new Map<string, GuardedWeight>();
  const declined = new Map<string, string>();
  for (let sweep = 0, isContent = false; sweep < SWEEPS && !isContent; sweep++) {
    isContent = true;
    for (const { node, recipe } of assignments) {
      if (!multipliesUint8ByInt8(recipe)) continue;
      for (const matrix of weightMatricesOf(node, options.weights)) {
        if (!maySaturate(matrix, recipe)) continue;
        const { name } = matrix;
        const before = quantizedWeights.get(name) ?? quantizeNearest(matrix, recipe);
        const outcome = guardWeight(matrix, before);
        if (outcome === undefined) continue;
        if (typeof outcome === 'string') declined.set(node.describe(), outcome);
        else {
          isContent = false;
          quantizedWeights.set(name, outcome.weight);
          const changed = Math.max(outcome.changed, guarded.get(name)?.changed ?? 0);
          guarded.set(name, { tensor: name, channels: before.parameters.scale.length, changed });
        }
      }
    }
  }
  return {
    quantizedWeights,
    guarded: [...guarded.values()],
    declined: [...declined].map(([node, reason]) => ({ node, reason })),
  };
}

/** Whether integers of these weights under the recipe go through a kernel that saturates without VNNI. */
export function maySaturate(matrix: WeightMatrix, recipe: Recipe): boolean {
  return multipliesUint8ByInt8(recipe) && !isDepthwise(matrix);
}

/** Signed inputs take another kernel, unsigned weights too, and 7-bit weights fit. */
function multipliesUint8ByInt8(recipe: Recipe): recipe is Extract<Recipe, { weights: 'int8' | 'uint8' }> {
  if (recipe.scheme === 'int8-static' && recipe.activations !== 'uint8') return false;
  return (
    (recipe.scheme === 'int8-static' || recipe.scheme === 'int8-dynamic') &&
    recipe.weights === 'int8' &&
    !recipe.reduceRange
  );
}

function quantizeNearest(
  { node, name, tensor }: WeightMatrix,
  recipe: Extract<Recipe, { perChannel: boolean }>,
): QuantizedWeight {
  const axis = recipe.perChannel ? { axis: channelAxisOf(node, tensor.dims) } : {};
  return quantizeWeight(name, tensor, { dataType: 'int8', ...axis });
}

/** undefined where nothing saturates; a string says why it cannot be helped. */
function guardWeight(
  matrix: WeightMatrix,
  { integers, parameters }: QuantizedWeight,
): { readonly weight: QuantizedWeight; readonly changed: number } | string | undefined {
  if (parameters.dataType !== 'int8') return undefined;
  if (parameters.zeroPoint.some((zeroPoint) => zeroPoint !== 0)) return 'its int8 weights have a zero point';
  const { depth, rows, indexOf } = matrix;
  const members = rowsByChannel(matrix, parameters.axis);
  if (typeof members === 'string') return members;
  const weights = gatherRows(matrix);
  const stored = integers.typed() as Int8Array;
  const result = Int8Array.from(stored);
  const scale = [...parameters.scale];
  // Rows that share a scale are guarded as one; each begins at an even position, so that no pair spans two of them.
  const stride = depth + (depth % 2);
  let changed = 0;
  for (const [channel, rowsOfChannel] of members.entries()) {
    const joined = new Float32Array(rowsOfChannel.length * stride);
    const joinedIntegers = new Int8Array(joined.length);
    for (const [position, row] of rowsOfChannel.entries()) {
      joined.set(weights.subarray(row * depth, (row + 1) * depth), position * stride);
      for (let k = 0; k < depth; k++) joinedIntegers[position * stride + k] = stored[indexOf(row, k)] ?? 0;
    }
    const guardedRow = guardRow(joined, joinedIntegers, scale[channel] ?? 1);
    if (guardedRow === undefined) continue;
    changed++;
    scale[channel] = guardedRow.scale;
    for (const [position, row] of rowsOfChannel.entries()) {
      for (let k = 0; k < depth; k++) result[indexOf(row, k)] = guardedRow.integers[position * stride + k] ?? 0;
    }
  }
  if (changed === 0 || rows === 0) return undefined;
  const weight = { integers: Tensor.fromTyped('int8', integers.dims, result), parameters: { ...parameters, scale } };
  return { weight, changed };
}

function rowsByChannel(matrix: WeightMatrix, axis: number | undefined): number[][] | string {
  const { count, inner } = channelsOf(matrix.tensor.dims, axis);
  const channelOf = (index: number) => Math.floor(index / inner) % count;
  const members = Array.from({ length: count }, (): number[] => []);
  for (let row = 0; row < matrix.rows; row++) {
    const channel = channelOf(matrix.indexOf(row, 0));
    if (channel !== channelOf(matrix.indexOf(row, matrix.depth - 1))) return 'its scales run along the sums';
    members[channel]?.push(row);
  }
  return members;
}
