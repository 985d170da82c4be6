/** A mean over all of a picture is a GlobalAveragePool, which onnxruntime computes in its blocked layout: 1 to 4 % of small networks. */
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import { type Dimension, Value } from '../ir/value.js';
import type { ImmediatePass } from './pass.js';

/** Channels-first, of rank 3 to 5. Sums are rounded otherwise. */
export function fuseGlobalAveragePool(): ImmediatePass {
  return {
    name: 'fuse-global-average-pool',
    run(model) {
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        for (const node of [...graph.nodes]) modified = fuse(model, graph, node) || modified;
      });
      return { modified };
    },
  };
}

function fuse(model: Model, graph: Graph, node: Node): boolean {
  const input = node.input(0);
  const shape = input?.type?.kind === 'tensor' && input.type.elementType === 'float32' ? input.type.shape : undefined;
  if (!node.is('ReduceMean') || input === undefined || shape === undefined || shape.length < 3 || shape.length > 5) {
    return false;
  }
  const named = node.ints('axes') ?? node.constantInput(1)?.numbers();
  const axes = named?.map((axis) => (axis < 0 ? axis + shape.length : axis)).sort((a, b) => a - b);
  const spatial = shape.slice(2).map((_, index) => index + 2);
  if (axes === undefined || String(axes) !== String(spatial)) return false;
  const output = node.output();
  const pooled: readonly Dimension[] = [...shape.slice(0, 2), ...spatial.map(() => 1)];
  const keeps = node.int('keepdims', 1) === 1;
  const name = model.freshName(`${output.name}/GlobalAveragePool`);
  const mean = keeps ? output : new Value(name, { kind: 'tensor', elementType: 'float32', shape: pooled });
  node.setOutputs([]);
  const nodes = [new Node('GlobalAveragePool', [input], [mean], { name: node.name })];
  if (!keeps) {
    const removed = graph.addInitializer(model.freshName(`${output.name}/axes`), Tensor.int64(spatial));
    nodes.push(new Node('Squeeze', [mean, removed], [output], { name }));
  }
  graph.insertBefore(node, ...nodes);
  graph.remove(node);
  return true;
}
