/** Sizes that are taken from a vector in one order, and from the result in another: taken once, or not at all. */
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { isSorted } from './order.js';
import { Rewriter } from './rewriter.js';
import { listInput, shapeOf } from './rules/rule.js';

/** @returns whether anything changed */
export function joinGathers(model: Model, graph: Graph): boolean {
  const rewriter = new Rewriter(model, graph);
  let modified = false;
  for (const node of graph.nodes) {
    const second = indicesOf(node);
    if (second === undefined) continue;
    const producer = node.input(0)?.producer;
    const first = producer?.graph === graph ? indicesOf(producer) : undefined;
    const indices = first === undefined ? second : second.map((index) => first.at(index));
    if (!indices.every((index) => index !== undefined)) continue;
    const source = first === undefined ? node.input(0) : producer?.input(0);
    const length = shapeOf(source)?.[0];
    if (source === undefined) continue;
    if (length === indices.length && isSorted(indices as number[])) {
      node.opType = 'Identity';
      node.attributes.clear();
      node.setInputs([source]);
      node.output().replaceUsesInNodes(source);
    } else if (first !== undefined) {
      node.setInputs([source, rewriter.int64(indices as number[], `${node.output().name}/indices`)]);
    } else continue;
    modified = true;
  }
  return modified;
}

/** Of a Gather from a vector by a constant vector. */
function indicesOf(node: Node): readonly number[] | undefined {
  if (!node.is('Gather') || shapeOf(node.input(0))?.length !== 1 || node.constantInput(1)?.dims.length !== 1) {
    return undefined;
  }
  const indices = listInput(node, 1);
  return typeof indices === 'string' ? undefined : indices;
}
