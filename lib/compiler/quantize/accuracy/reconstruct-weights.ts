/** Rounding by reconstruction for the layers of a plan: from calibration data to integers that a lock can carry. */
import type { Recipe } from '../../../artifact/recipe.js';
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { Tensor } from '../../ir/tensor.js';
import type { QuantizedWeight } from '../plan.js';
import type { Assignment } from '../scheme.js';
import { GramMatrix } from './gram-matrix.js';
import { type LayerInputs, layerInputsOf } from './layer-inputs.js';
import { type LayerProblem, reconstructLayer } from './reconstruct-layer.js';
import { maySaturate } from './saturation-guard.js';
import { type StreamOptions, streamValues } from './stream-values.js';
import { weightGridsOf } from './weight-grids.js';
import { type WeightMatrix, weightMatricesOf } from './weight-matrix.js';
import { withWeights } from './weight-slots.js';

export interface ReconstructWeightsOptions extends StreamOptions {
  /** float32 weights that replace the model's, by the initializer's name. */
  readonly weights?: ReadonlyMap<string, Tensor>;
  /** Rows of a layer's inputs that one run adds. Default 512. */
  readonly rowsPerRun?: number;
  /** Bytes of the sums that are held at a time; layers beyond them wait for another pass over the data. Default 512 MiB. */
  readonly maximumSumBytes?: number;
  /** Whether the integers must not saturate on x64 without VNNI, where recipes multiply them by uint8. Default false. */
  readonly guardsSaturation?: boolean;
  /** Told each layer that is done. */
  readonly onProgress?: (done: number, count: number) => void;
}

export interface ReconstructedLayer {
  /** The initializer's name. */
  readonly tensor: string;
  readonly node: string;
  /** 10 · log10 of the error of the layer's outputs, nearest over reconstructed, in dB; never negative. */
  readonly gain: number;
}

export interface ReconstructedWeights {
  /** By the initializer's name. */
  readonly quantizedWeights: ReadonlyMap<string, QuantizedWeight>;
  readonly layers: readonly ReconstructedLayer[];
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

interface Layer extends LayerProblem {
  readonly inputs: LayerInputs;
}

/** Below it, weight-only schemes leave a weight in float32. */
const SMALLEST_WEIGHT = 1024;
const MAXIMUM_SUM_BYTES = 512 * 2 ** 20;
const ROWS_PER_RUN = 512;

/**
 * Chooses the integers of every layer with an int8 or blockwise recipe by what its outputs lose on the data.
 * @param model normalized, without the plan's changes
 */
export async function reconstructWeights(
  model: Model,
  assignments: readonly Assignment[],
  data: DataSet,
  options: ReconstructWeightsOptions = {},
): Promise<ReconstructedWeights> {
  const declined: { node: string; reason: string }[] = [];
  const layers: Layer[] = [];
  for (const { node, recipe } of assignments) {
    for (const matrix of weightMatricesOf(node, options.weights)) {
      const layer = layerOf(matrix, recipe, options.guardsSaturation ?? false);
      if (typeof layer === 'string') declined.push({ node: node.describe(), reason: layer });
      else layers.push(layer);
    }
  }
  const changed = options.weights === undefined ? model : withWeights(model, options.weights);
  const quantizedWeights = new Map<string, QuantizedWeight>();
  const reconstructed: ReconstructedLayer[] = [];
  for (const pass of passesOf(layers, options.maximumSumBytes ?? MAXIMUM_SUM_BYTES)) {
    const sums = await gatherSums(changed, pass, data, options);
    for (const layer of pass) {
      options.signal?.throwIfAborted();
      const grams = (sums.get(layer.inputs.key) ?? []).map((sum) => sum.finish());
      const result = reconstructLayer(layer, grams, options);
      const { node, name } = layer.matrix;
      if (typeof result === 'string') declined.push({ node: node.describe(), reason: result });
      else {
        quantizedWeights.set(name, result.weight);
        reconstructed.push({ tensor: name, node: node.output().name, gain: result.gain });
      }
      options.onProgress?.(reconstructed.length, layers.length);
    }
  }
  return { quantizedWeights, layers: reconstructed, declined };
}

function layerOf(matrix: WeightMatrix, recipe: Recipe, guardsSaturation: boolean): Layer | string {
  const { value, name, tensor } = matrix;
  if (value.uses.size > 1 && name === value.name) return `'${value.name}' serves several nodes`;
  if (recipe.scheme === 'int8-weight-only' && tensor.byteLength < SMALLEST_WEIGHT) return 'its weights are too small';
  const grids = weightGridsOf(matrix, recipe);
  if (typeof grids === 'string') return grids;
  const inputs = layerInputsOf(matrix);
  if (typeof inputs === 'string') return inputs;
  return { matrix, grids, inputs, limitsPairs: guardsSaturation && maySaturate(matrix, recipe) };
}

function sumBytes({ matrix, inputs }: Layer): number {
  return GramMatrix.bytes(matrix.depth) * inputs.groups;
}

/** Layers whose sums fit the memory together; those with the same inputs share them. */
function passesOf(layers: readonly Layer[], maximumBytes: number): Layer[][] {
  const passes: Layer[][] = [];
  let pass: Layer[] = [];
  let keys = new Set<string>();
  let bytes = 0;
  for (const layer of layers) {
    const own = keys.has(layer.inputs.key) ? 0 : sumBytes(layer);
    if (pass.length > 0 && bytes + own > maximumBytes) {
      passes.push(pass);
      [pass, keys, bytes] = [[], new Set(), 0];
    }
    bytes += keys.has(layer.inputs.key) ? 0 : sumBytes(layer);
    keys.add(layer.inputs.key);
    pass.push(layer);
  }
  if (pass.length > 0) passes.push(pass);
  return passes;
}

async function gatherSums(
  model: Model,
  layers: readonly Layer[],
  data: DataSet,
  options: ReconstructWeightsOptions,
): Promise<Map<string, GramMatrix[]>> {
  const sums = new Map<string, GramMatrix[]>();
  const distinct = layers.filter(({ inputs, matrix }) => {
    if (sums.has(inputs.key)) return false;
    sums.set(
      inputs.key,
      Array.from({ length: inputs.groups }, () => new GramMatrix(matrix.depth)),
    );
    return true;
  });
  const names = [...new Set(distinct.flatMap(({ inputs }) => inputs.values))];
  for await (const { values } of streamValues(model, names, data, options)) {
    for (const { inputs } of distinct) {
      if (!inputs.values.every((name) => values.has(name))) continue;
      const ofGroups = sums.get(inputs.key) ?? [];
      inputs.forEachRow(values, options.rowsPerRun ?? ROWS_PER_RUN, (group, elementAt) =>
        ofGroups[group]?.add(elementAt),
      );
    }
  }
  return sums;
}
