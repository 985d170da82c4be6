/**
 * Bias correction (Nagel et al., arXiv 1906.04721): rounding shifts the mean of a layer's outputs, channel by channel, and the bias can
 * take that back. Each quantized layer is measured against its float32 self on the same inputs, those of the quantized model, so that
 * corrections do not overlap.
 */
import type { DataSet } from '../../data/data-set.js';
import { copyModel } from '../../ir/copy.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { LINEAR_OPERATORS, type LinearNode, linearNodeOf } from '../../passes/linear-node.js';
import { applyPlan } from '../apply-plan.js';
import { findNodes } from '../node-key.js';
import type { QuantizationPlan } from '../plan.js';
import { type MeasuredLayer, measureMeanErrors } from './mean-errors.js';
import type { StreamOptions } from './stream-values.js';
import { slotOf, tensorOf } from './weight-slots.js';

export interface CorrectedBias {
  /** The first output of the layer's node. */
  readonly node: string;
  /** What the plan calls the bias. */
  readonly tensor: string;
  /** Root of the mean square of what was taken off, over the channels, in units of the layer's outputs. */
  readonly correction: number;
}

export interface BiasCorrection {
  /** The plan's weights, with corrected biases in place and added. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly corrected: readonly CorrectedBias[];
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

/** Where a layer's bias is: an input of its own, or the constant that an Add right behind it adds. */
interface BiasPlace {
  readonly node: Node;
  readonly index: number;
  /** What the operator multiplies the bias with. */
  readonly factor: number;
  readonly dims: readonly number[];
}

/**
 * @param model normalized, without the plan's changes
 * @returns biases for every layer with an integer recipe that has one, or can be given one
 */
export async function correctBiases(
  model: Model,
  plan: QuantizationPlan,
  data: DataSet,
  options: StreamOptions = {},
): Promise<BiasCorrection> {
  const declined: { node: string; reason: string }[] = [];
  const layers: (MeasuredLayer & { readonly place: BiasPlace })[] = [];
  const nodes = findNodes(
    model,
    plan.recipes.map(({ node }) => node),
  );
  for (const [index, { recipe }] of plan.recipes.entries()) {
    const node = nodes[index];
    if (node === undefined || recipe.scheme === 'fp32' || recipe.scheme === 'fp16-storage') continue;
    if (!node.is(...LINEAR_OPERATORS)) continue;
    const layer = layerOf(node, plan.weights);
    if (typeof layer === 'string') declined.push({ node: node.describe(), reason: layer });
    else layers.push(layer);
  }
  const quantized = copyModel(model);
  applyPlan(quantized, plan);
  const { errors, unseen } = await measureMeanErrors(quantized, layers, data, options);
  declined.push(...unseen);

  const weights = new Map(plan.weights);
  const corrected: CorrectedBias[] = [];
  for (const { linear, place } of layers) {
    const name = linear.node.output().name;
    const error = errors.get(name);
    const slot = slotOf(place.node, place.index);
    if (error === undefined) continue;
    const before = weights.get(slot) ?? tensorOf(place.node, place.index, plan.weights);
    const bias = correct(before, place, error);
    if (bias === undefined) continue;
    weights.set(slot, bias);
    corrected.push({ node: name, tensor: slot, correction: rootMeanSquare(error) });
  }
  return { weights, corrected, declined };
}

function layerOf(node: Node, weights: ReadonlyMap<string, Tensor>): (MeasuredLayer & { place: BiasPlace }) | string {
  if (node.graph?.parent !== undefined) return `${node.describe()} stands in a subgraph, whose values cannot be seen`;
  const linear = linearNodeOf(node);
  if (typeof linear === 'string') return linear;
  const place = biasPlaceOf(linear);
  if (typeof place === 'string') return place;
  const weight = tensorOf(node, 1, weights) ?? linear.weight;
  return { linear, weight, bias: tensorOf(node, 2, weights), place };
}

function biasPlaceOf(linear: LinearNode): BiasPlace | string {
  const { node, outputChannels, takesBias } = linear;
  if (takesBias) {
    const factor = node.is('Gemm') ? node.float('beta', 1) : 1;
    if (factor === 0) return `${node.describe()} multiplies its bias by 0`;
    return { node, index: 2, factor, dims: [outputChannels] };
  }
  const add = node.output().soleConsumer;
  const index = add?.input(0) === node.output() ? 1 : 0;
  const constant = add?.is('Add') === true ? add.constantInput(index) : undefined;
  if (add === undefined || constant === undefined || add.graph !== node.graph) {
    return `${node.describe()} takes no bias, and no constant is added right behind it`;
  }
  const fits = constant.elementType === 'float32' && constant.dims.at(-1) === outputChannels;
  if (!fits || constant.count !== outputChannels) return `what ${add.describe()} adds is not one number per channel`;
  return { node: add, index, factor: 1, dims: constant.dims };
}

/** undefined where the new bias would not be finite, or nothing changes. */
function correct(before: Tensor | undefined, { dims, factor }: BiasPlace, error: Float64Array): Tensor | undefined {
  const old = before === undefined ? undefined : (before.typed() as Float32Array);
  const bias = Float32Array.from(error, (mean, channel) => {
    return (old?.[old.length === 1 ? 0 : channel] ?? 0) - mean / factor;
  });
  const isChanged = bias.some((value, channel) => value !== (old?.[old.length === 1 ? 0 : channel] ?? 0));
  return isChanged && bias.every(Number.isFinite) ? Tensor.fromTyped('float32', dims, bias) : undefined;
}

function rootMeanSquare(numbers: Float64Array): number {
  return Math.sqrt(numbers.reduce((sum, number) => sum + number ** 2, 0) / Math.max(1, numbers.length));
}
