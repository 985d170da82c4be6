/** Reshape, Flatten, Squeeze and Unsqueeze that follow one another become one, or none where the shape is the first one again. */
import type { Node } from '../ir/node.js';
import { forEachGraph } from '../ir/traversal.js';
import { Rewriter } from './layout/rewriter.js';
import { type Size, sizesOf, targetSizes, writtenShape } from './layout/rules/reshape.js';
import { listInput, shapeOf } from './layout/rules/rule.js';
import type { ImmediatePass } from './pass.js';

const RESHAPES = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'] as const;

/** Needs the shapes of values. Sizes may be open, as long as at most one of them has to be computed. */
export function mergeReshapes(): ImmediatePass {
  return {
    name: 'merge-reshapes',
    run(model) {
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        const rewriter = new Rewriter(model, graph);
        for (const node of graph.nodes) modified = mergeWithProducer(rewriter, node) || modified;
        const unused = [...graph.nodes]
          .reverse()
          .filter((node) => node.is(...RESHAPES) && node.outputs.every((output) => output?.uses.size === 0));
        if (unused.length > 0) graph.remove(...unused);
        modified ||= unused.length > 0;
      });
      return { modified };
    },
  };
}

function mergeWithProducer(rewriter: Rewriter, node: Node): boolean {
  const first = node.input(0)?.producer;
  if (!node.is(...RESHAPES) || !first?.is(...RESHAPES) || first.graph !== node.graph) return false;
  const input = first.input(0);
  const before = sizesOf(shapeOf(input));
  const between = before === undefined ? undefined : sizesAfter(first, before);
  const after = between === undefined ? undefined : sizesAfter(node, between);
  if (input === undefined || before === undefined || after === undefined) return false;
  const output = node.output();
  if (after.length === before.length && after.every((size, axis) => size === before[axis])) {
    node.opType = 'Identity';
    node.attributes.clear();
    node.setInputs([input]);
    output.replaceUsesInNodes(input);
    return true;
  }
  const shape = writtenShape(before, after);
  if (shape === undefined) return false;
  node.opType = 'Reshape';
  node.attributes.clear();
  node.setInputs([input, rewriter.int64(shape, `${output.name}/shape`)]);
  return true;
}

function sizesAfter(node: Node, before: readonly Size[]): Size[] | undefined {
  if (node.is('Reshape', 'Flatten')) return targetSizes(node, before);
  const named = node.ints('axes') ?? listInput(node, 1);
  if (typeof named === 'string') return undefined;
  if (node.is('Squeeze')) {
    const axes = new Set(named.map((axis) => (axis < 0 ? axis + before.length : axis)));
    return before.filter((_, axis) => !axes.has(axis));
  }
  const rank = before.length + named.length;
  const axes = new Set(named.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...before];
  return Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.shift() as Size)));
}
