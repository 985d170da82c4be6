/**
 * Multiplications and additions with constants in front of Conv, ConvTranspose, Gemm or MatMul go into the weights and
 * biases of all of them. Where zero padding does not let an addition through, it stays, alone and rescaled.
 */
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { graphsOf } from '../ir/traversal.js';
import { Value } from '../ir/value.js';
import { AFFINE_OPERATORS, type Affine, affineOf, compose, elementOf } from './affine.js';
import { inferRank } from './inferred-type.js';
import { inferChannels, LINEAR_OPERATORS, type LinearNode, linearNodeOf } from './linear-node.js';
import type { Pass, PassResult } from './pass.js';
import { prepareRewrite, type RewriteOptions } from './rewrite-weights.js';

/** Run it after `foldScaleShiftIntoProducer`, which has no padding to mind. */
export function foldScaleShiftIntoConsumers(options: RewriteOptions = {}): Pass {
  return { name: 'fold-scale-shift-into-consumers', run: (model) => foldPreceding(model, options) };
}

/** true if it changed the model; a string if there was a candidate and it was left alone. */
type Outcome = boolean | string;

function foldPreceding(model: Model, options: RewriteOptions): PassResult {
  const declined: string[] = [];
  let modified = false;
  for (const graph of graphsOf(model)) {
    // From the end, so that the last of a chain is seen first.
    for (const node of [...graph.nodes].reverse()) {
      if (node.graph !== graph || !node.is(...AFFINE_OPERATORS)) continue;
      const outcome = foldIntoConsumers(model, node, options);
      if (outcome === true) modified = true;
      else if (outcome !== false) declined.push(outcome);
    }
  }
  return { modified, declined };
}

function foldIntoConsumers(model: Model, last: Node, options: RewriteOptions): Outcome {
  const graph = last.graph;
  const output = last.output();
  if (graph === undefined || output.isGraphOutput || output.uses.size === 0) return false;
  const consumers: LinearNode[] = [];
  for (const use of output.uses) {
    if (use.kind === 'output' || use.index !== 0 || !use.node.is(...LINEAR_OPERATORS)) return false;
    const linear = linearNodeOf(use.node);
    if (typeof linear === 'string') return linear;
    consumers.push(linear);
  }
  const [first] = consumers;
  if (first === undefined) return false;
  const incompatible = consumers.some(
    (other) =>
      other.inputChannels !== first.inputChannels ||
      other.channelAxisFromEnd !== first.channelAxisFromEnd ||
      other.minimumRank !== first.minimumRank,
  );
  if (incompatible) return `${last.describe()} is not folded: its readers see its channels differently`;

  const chain: Node[] = [];
  let total: Affine | undefined;
  for (
    let node: Node | undefined = last;
    node?.graph === graph && node.is(...AFFINE_OPERATORS);
    node = total?.data.producer
  ) {
    if (chain.length > 0 && node.output().soleConsumer !== chain.at(-1)) break;
    const affine = affineOf(node, first, first.inputChannels);
    const obstacle = affine === undefined || typeof affine === 'string' ? affine : whatItMayWiden(node, affine, first);
    if (affine === undefined || typeof affine === 'string' || obstacle !== undefined) {
      if (chain.length === 0) return obstacle ?? false;
      break;
    }
    total = total === undefined ? affine : compose(affine, total);
    chain.push(node);
  }
  return total === undefined ? false : applyToConsumers(model, graph, chain, total, consumers, options);
}

/** Without the operator its readers must still get what they need: a constant may have broadcast its data to their shape. */
function whatItMayWiden(node: Node, { data, scale }: Affine, consumer: LinearNode): string | undefined {
  if (node.is('BatchNormalization')) return undefined;
  const constantRank = node.input(node.input(0) === data ? 1 : 0)?.rank ?? 0;
  const rank = inferRank(data);
  // The readers' rank is the greater of the two, and all of them but MatMul state theirs.
  const reads = consumer.node.is('MatMul') ? 0 : consumer.minimumRank;
  if (constantRank > 0 && (rank === undefined || rank < constantRank) && constantRank >= reads) {
    return `the constant of ${node.describe()} may have more dimensions than the data`;
  }
  if (scale.length > 1 && inferChannels(data, consumer.channelAxisFromEnd) !== scale.length) {
    return `the constant of ${node.describe()} may have more channels than the data`;
  }
  return undefined;
}

function applyToConsumers(
  model: Model,
  graph: Graph,
  chain: readonly Node[],
  total: Affine,
  consumers: readonly LinearNode[],
  options: RewriteOptions,
): Outcome {
  const [last] = chain;
  if (last === undefined) return false;
  const { scale, shift } = total;
  const scaled = scale.some((value) => value !== 1);
  const shifted = shift.some((value) => value !== 0);
  const obstacle = shifted ? consumers.map(shiftObstacle).find((reason) => reason !== undefined) : undefined;
  // scale · x + shift is scale · (x + shift / scale): one operation fewer, if there were two.
  const keepsShift = obstacle !== undefined && chain.length > 1 && scaled && scale.every((value) => value !== 0);
  if (obstacle !== undefined && !keepsShift) return `${last.describe()} is not folded: ${obstacle}`;

  const rewrites: (() => void)[] = [];
  for (const linear of consumers) {
    const factor = (index: number) => elementOf(scale, linear.inputChannelOf(index));
    const bias = shifted && !keepsShift ? biasAfterShift(linear, shift) : undefined;
    const rewrite = prepareRewrite(model, linear, { factor: scaled ? factor : undefined, bias }, options);
    if (typeof rewrite === 'string') return `${last.describe()} is not folded: ${rewrite}`;
    rewrites.push(rewrite);
  }
  for (const rewrite of rewrites) rewrite();
  const [first] = consumers;
  const input = keepsShift && first !== undefined ? addShift(model, graph, last, total, first) : total.data;
  for (const { node } of consumers) node.setInput(0, input);
  graph.remove(...chain);
  return true;
}

/** x + shift / scale, in front of `last`. */
function addShift(model: Model, graph: Graph, last: Node, { data, scale, shift }: Affine, consumer: LinearNode): Value {
  const numbers = shift.map((value, channel) => value / elementOf(scale, channel));
  const dims = numbers.length === 1 ? [] : [numbers.length, ...Array(consumer.channelAxisFromEnd - 1).fill(1)];
  const constant = graph.addInitializer(
    model.freshName(`${last.output().name}_shift`),
    Tensor.fromNumbers('float32', dims, numbers),
  );
  const output = new Value(model.freshName(`${last.output().name}_shifted`), last.output().type);
  graph.insertBefore(last, new Node('Add', [data, constant], [output]));
  return output;
}

/** Why a constant added to the input is not a constant added to the output. */
function shiftObstacle({ node, takesBias }: LinearNode): string | undefined {
  if (!takesBias) return `${node.describe()} takes no bias`;
  if (node.is('ConvTranspose')) return `${node.describe()} adds more or less of it towards the edges`;
  if (!node.is('Conv')) return undefined;
  const automatic = node.string('auto_pad', 'NOTSET');
  const padded = automatic === 'NOTSET' ? (node.ints('pads') ?? []).some((pad) => pad !== 0) : automatic !== 'VALID';
  return padded ? `${node.describe()} pads with zeros, to which it does not add` : undefined;
}

/** bias + Σ weight · shift over the inputs of each output channel. */
function biasAfterShift(linear: LinearNode, shift: Float64Array): Float64Array {
  const alpha = linear.node.is('Gemm') ? linear.node.float('alpha', 1) : 1;
  const bias = Float64Array.from({ length: linear.outputChannels }, (_, channel) => linear.bias?.[channel] ?? 0);
  const weights = linear.weight.typed() as Float32Array;
  for (const [index, weight] of weights.entries()) {
    const channel = linear.outputChannelOf(index);
    bias[channel] = (bias[channel] ?? 0) + alpha * weight * elementOf(shift, linear.inputChannelOf(index));
  }
  return bias;
}
