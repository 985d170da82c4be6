/**
 * Multiplications and additions with constants around a MatMul with constant weights, which has no bias to take them: they become other
 * weights and one addition behind it. A dense layer between normalizations is one product and one sum then.
 */
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { graphsOf } from '../ir/traversal.js';
import { Value } from '../ir/value.js';
import { AFFINE_OPERATORS, type Affine, affineOf, compose, elementOf } from './affine.js';
import { type LinearNode, linearNodeOf } from './linear-node.js';
import type { ImmediatePass } from './pass.js';
import { prepareRewrite, type RewriteOptions } from './rewrite-weights.js';

/** Rewrites only where nodes are saved. Run it after the passes that fold into biases. */
export function foldScaleShiftAroundProducts(options: RewriteOptions = {}): ImmediatePass {
  return {
    name: 'fold-scale-shift-around-products',
    run(model) {
      const declined: string[] = [];
      let modified = false;
      for (const graph of graphsOf(model)) {
        for (const node of [...graph.nodes]) {
          const linear = node.graph === graph && node.is('MatMul') ? linearNodeOf(node) : undefined;
          if (typeof linear !== 'object') continue;
          const outcome = foldAround(model, graph, linear, options);
          if (typeof outcome === 'string') declined.push(outcome);
          else modified = outcome || modified;
        }
      }
      return { modified, declined };
    },
  };
}

/** Operators in a row, and what they do together. */
interface Chain {
  readonly nodes: readonly Node[];
  readonly total: Affine | undefined;
}

function foldAround(model: Model, graph: Graph, linear: LinearNode, options: RewriteOptions): boolean | string {
  const [before, after] = [chainBefore(linear, graph), chainAfter(linear, graph)];
  const shift = shiftOf(linear, before.total, after.total);
  const isShifted = shift.some((value) => value !== 0);
  if (before.nodes.length + after.nodes.length <= (isShifted ? 1 : 0)) return false;
  const factor = (index: number) =>
    scaleOf(before.total, linear.inputChannelOf(index)) * scaleOf(after.total, linear.outputChannelOf(index));
  const scales = [before.total, after.total].some((affine) => affine?.scale.some((value) => value !== 1) === true);
  const rewrite = prepareRewrite(model, linear, { factor: scales ? factor : undefined, bias: undefined }, options);
  if (typeof rewrite === 'string') return rewrite;
  const bias = Float32Array.from(shift);
  if (!bias.every(Number.isFinite)) return `what is added behind ${linear.node.describe()} does not fit float32`;
  rewrite();
  if (before.total !== undefined) linear.node.setInput(0, before.total.data);
  const output = after.nodes.at(-1)?.output() ?? linear.node.output();
  graph.remove(...before.nodes);
  if (isShifted) addBehind(model, graph, linear.node, bias, output, after.nodes);
  else {
    linear.node.setOutputs([output]);
    graph.remove(...after.nodes);
  }
  return true;
}

function addBehind(
  model: Model,
  graph: Graph,
  node: Node,
  bias: Float32Array,
  output: Value,
  replaced: readonly Node[],
): void {
  const constant = graph.addInitializer(
    model.freshName(`${output.name}/bias`),
    Tensor.fromTyped('float32', [bias.length], bias),
  );
  const last = replaced.at(-1);
  const name = last?.name ?? model.freshName(`${output.name}/Add`);
  const next = replaced[0] ?? graph.nodes[graph.nodes.indexOf(node) + 1];
  if (last === undefined) node.setOutputs([new Value(model.freshName(`${output.name}/product`), output.type)]);
  else last.setOutputs([]);
  const sum = new Node('Add', [node.output(), constant], [output], { name });
  if (next === undefined) graph.append(sum);
  else graph.insertBefore(next, sum);
  graph.remove(...replaced);
}

/** Upwards from the product, where nobody else reads what is between. */
function chainBefore(linear: LinearNode, graph: Graph): Chain {
  const nodes: Node[] = [];
  let total: Affine | undefined;
  for (let value = linear.node.input(0), reader = linear.node; value?.producer !== undefined; ) {
    const node: Node = value.producer;
    if (node.graph !== graph || value.soleConsumer !== reader || !node.is(...AFFINE_OPERATORS)) break;
    const affine = affineOf(node, linear, linear.inputChannels);
    if (typeof affine !== 'object' || widens(node, affine, linear.inputChannels)) break;
    total = total === undefined ? affine : compose(affine, total);
    nodes.push(node);
    [value, reader] = [affine.data, node];
  }
  // One number goes into the weights anyway, once it is known that it is not part of a GELU.
  const isScalar = total?.scale.length === 1 && total.shift.every((value) => value === 0);
  return isScalar ? { nodes: [], total: undefined } : { nodes, total };
}

/** Whether the constant may give its data more axes or more channels, which a product would not see any more. */
function widens(node: Node, { data, scale }: Affine, channels: number): boolean {
  if (node.is('BatchNormalization')) return false;
  const constant = node.input(node.input(0) === data ? 1 : 0);
  const shape = data.type?.kind === 'tensor' ? data.type.shape : undefined;
  if (shape === undefined || shape.length < (constant?.rank ?? 0)) return true;
  return scale.length > 1 && shape.at(-1) !== channels;
}

function chainAfter(linear: LinearNode, graph: Graph): Chain {
  const nodes: Node[] = [];
  let total: Affine | undefined;
  for (let value = linear.node.output(); ; ) {
    const node = value.soleConsumer;
    if (node === undefined || node.graph !== graph || !node.is(...AFFINE_OPERATORS)) break;
    const affine = affineOf(node, linear, linear.outputChannels);
    if (typeof affine !== 'object' || affine.data !== value) break;
    total = total === undefined ? affine : compose(total, affine);
    nodes.push(node);
    value = node.output();
  }
  return { nodes, total };
}

function scaleOf(affine: Affine | undefined, channel: number): number {
  return affine === undefined ? 1 : elementOf(affine.scale, channel);
}

/** What is added to each output channel: shift before, times the weights, times the scale behind, plus the shift behind. */
function shiftOf(linear: LinearNode, before: Affine | undefined, after: Affine | undefined): Float64Array {
  const sums = new Float64Array(linear.outputChannels);
  if (before?.shift.some((value) => value !== 0) === true) {
    const weights = linear.weight.typed() as Float32Array;
    for (const [index, weight] of weights.entries()) {
      const channel = linear.outputChannelOf(index);
      sums[channel] = (sums[channel] ?? 0) + weight * elementOf(before.shift, linear.inputChannelOf(index));
    }
  }
  return sums.map((sum, channel) => {
    return sum * scaleOf(after, channel) + (after === undefined ? 0 : elementOf(after.shift, channel));
  });
}
