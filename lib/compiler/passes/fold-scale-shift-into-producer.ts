/**
 * Multiplications and additions with constants, BatchNormalization among them, that follow a Conv, ConvTranspose, Gemm or
 * MatMul go into its weights and its bias.
 */
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { graphsOf } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { AFFINE_OPERATORS, type Affine, affineOf, compose, elementOf } from './affine.js';
import { LINEAR_OPERATORS, type LinearNode, linearNodeOf } from './linear-node.js';
import type { Pass, PassResult } from './pass.js';
import { prepareRewrite, type RewriteOptions } from './rewrite-weights.js';

/** Folds a whole chain at a time, so that weights are rounded once. Declines where what is folded away has other readers. */
export function foldScaleShiftIntoProducer(options: RewriteOptions = {}): Pass {
  return { name: 'fold-scale-shift-into-producer', run: (model) => run(model, options) };
}

function run(model: Model, options: RewriteOptions): PassResult {
  const declined: string[] = [];
  let modified = false;
  for (const graph of graphsOf(model)) {
    for (const node of [...graph.nodes]) {
      if (node.graph !== graph || !node.is(...LINEAR_OPERATORS)) continue;
      const linear = linearNodeOf(node);
      if (typeof linear === 'string') continue;
      const outcome = foldFollowing(model, linear, options);
      if (outcome === true) modified = true;
      else if (outcome !== false) declined.push(outcome);
    }
  }
  return { modified, declined };
}

/** true if it changed the model; a string if there was a candidate and it was left alone. */
type Outcome = boolean | string;

function foldFollowing(model: Model, linear: LinearNode, options: RewriteOptions): Outcome {
  const graph = linear.node.graph;
  if (graph === undefined) return false;
  const chain: Node[] = [];
  let total: Affine | undefined;
  let blocked: Outcome = false;
  for (let output = linear.node.output(); ; ) {
    const next = output.soleConsumer;
    if (next === undefined || next.graph !== graph || !next.is(...AFFINE_OPERATORS)) {
      if (chain.length === 0) blocked = otherReaders(output);
      break;
    }
    const affine = affineOf(next, linear, linear.outputChannels);
    if (affine === undefined || typeof affine === 'string' || affine.data !== output) {
      if (typeof affine === 'string') blocked = affine;
      break;
    }
    const composed = total === undefined ? affine : compose(total, affine);
    if (!linear.takesBias && composed.shift.some((value) => value !== 0)) break;
    total = composed;
    chain.push(next);
    output = next.output();
  }
  const last = chain.at(-1);
  if (total === undefined || last === undefined) return blocked;
  const { scale, shift } = total;
  const bias = Float64Array.from(
    { length: linear.outputChannels },
    (_, channel) => (linear.bias?.[channel] ?? 0) * elementOf(scale, channel) + elementOf(shift, channel),
  );
  const rewrite = prepareRewrite(
    model,
    linear,
    {
      factor: scale.some((value) => value !== 1)
        ? (index) => elementOf(scale, linear.outputChannelOf(index))
        : undefined,
      bias: linear.bias !== undefined || bias.some((value) => value !== 0) ? bias : undefined,
    },
    options,
  );
  if (typeof rewrite === 'string') return rewrite;
  rewrite();
  const output = last.output();
  linear.node.setOutputs([output]);
  graph.remove(...chain);
  return true;
}

/** A fold that would be one, but for other readers of what it folds away. */
function otherReaders(output: Value): Outcome {
  const candidate = output.consumers.find(
    (node) => node.is(...AFFINE_OPERATORS) && node.inputs.some((_, index) => node.constantInput(index) !== undefined),
  );
  if (candidate === undefined) return false;
  const why = output.isGraphOutput ? 'is an output of the graph' : 'has other readers';
  return `${candidate.describe()} is not folded: '${output.name}' ${why}`;
}
