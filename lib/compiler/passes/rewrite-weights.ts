/** Gives a linear operator new weights and a new bias, computed in double precision and rounded once. */
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import type { LinearNode } from './linear-node.js';

export interface WeightRewrite {
  /** Multiplies element `index` of the weights; undefined leaves them as they are. */
  readonly factor: ((index: number) => number) | undefined;
  /** The new bias, per output channel; undefined leaves it as it is. */
  readonly bias: Float64Array | undefined;
}

export interface RewriteOptions {
  /** Weights that other nodes use too are copied up to this size. Default 64 KiB. */
  readonly maximumCopyBytes?: number;
}

const MAXIMUM_COPY_BYTES = 65_536;

/** What makes the change, or a string that says why it is not possible. Nothing changes before the call. */
export function prepareRewrite(
  model: Model,
  linear: LinearNode,
  rewrite: WeightRewrite,
  options: RewriteOptions = {},
): (() => void) | string {
  const { node, weight } = linear;
  if (rewrite.bias !== undefined && !linear.takesBias) return `${node.describe()} takes no bias`;
  const limit = options.maximumCopyBytes ?? MAXIMUM_COPY_BYTES;
  const shared = (node.input(1)?.uses.size ?? 0) > 1;
  if (rewrite.factor !== undefined && shared && weight.byteLength > limit) {
    return `the weights of ${node.describe()} serve other nodes too, and a copy would take ${weight.byteLength} bytes`;
  }
  const weights = rewrite.factor === undefined ? undefined : scaled(weight, rewrite.factor);
  const bias = rewrite.bias === undefined ? undefined : Float32Array.from(rewrite.bias);
  if (weights?.every(Number.isFinite) === false || bias?.every(Number.isFinite) === false) {
    return `the new weights of ${node.describe()} do not fit float32`;
  }
  return () => {
    if (weights !== undefined) replace(model, node, 1, Tensor.fromTyped('float32', weight.dims, weights));
    if (bias === undefined) return;
    replace(model, node, 2, Tensor.fromTyped('float32', [bias.length], bias));
    if (node.opType === 'Gemm') node.attributes.delete('beta');
  };
}

function scaled(weight: Tensor, factor: (index: number) => number): Float32Array {
  const old = weight.typed() as Float32Array;
  const weights = new Float32Array(old.length);
  for (let index = 0; index < old.length; index++) weights[index] = (old[index] ?? 0) * factor(index);
  return weights;
}

function replace(model: Model, node: Node, index: number, tensor: Tensor): void {
  const { graph } = node;
  if (graph === undefined) throw new TypeError(`${node.describe()} stands in no graph`);
  const before = node.input(index);
  const name = model.freshName(before?.name ?? `${node.output().name}_bias`);
  node.setInput(index, graph.addInitializer(name, tensor));
  if (before === undefined || before.uses.size > 0) return;
  // Nobody reads it any more. It may belong to a graph around this one.
  for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent?.graph) {
    scope.initializers.delete(before);
  }
}
