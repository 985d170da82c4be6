/** A Transpose that moves only axes of size 1 is a Reshape, which copies nothing. */
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import { movesNothing, reordered } from './order.js';
import { Rewriter } from './rewriter.js';
import { sizesOf, writtenShape } from './rules/reshape.js';
import { shapeOf } from './rules/rule.js';

/** @returns whether anything changed */
export function reshapeInPlaceOfTranspose(model: Model, graph: Graph): boolean {
  const rewriter = new Rewriter(model, graph);
  let modified = false;
  for (const node of graph.nodes) {
    const order = node.is('Transpose') ? node.ints('perm') : undefined;
    const sizes = sizesOf(shapeOf(node.input(0)));
    if (order === undefined || sizes?.length !== order.length || !movesNothing(sizes, order)) continue;
    const shape = writtenShape(sizes, reordered(sizes, order));
    if (shape === undefined) continue;
    node.opType = 'Reshape';
    node.attributes.clear();
    node.setInput(1, rewriter.int64(shape, `${node.output().name}/shape`));
    modified = true;
  }
  return modified;
}
