/** Walks over graphs and the graphs inside their nodes. */
import { GraphError } from '../../errors.js';
import type { Graph } from './graph.js';
import type { Model } from './model.js';
import type { Node } from './node.js';
import type { Value } from './value.js';

/** `visit` for a graph and every graph inside it, outer before inner. */
export function forEachGraph(graph: Graph, visit: (graph: Graph) => void): void {
  visit(graph);
  for (const node of graph.nodes) for (const [, subgraph] of node.subgraphs()) forEachGraph(subgraph, visit);
}

/** Every graph of a model, functions' bodies included, outer before inner. */
export function graphsOf(model: Model): Graph[] {
  const graphs: Graph[] = [];
  forEachGraph(model.graph, (graph) => graphs.push(graph));
  for (const { body } of model.functions) forEachGraph(body, (graph) => graphs.push(graph));
  return graphs;
}

/** Every node of a model, those of subgraphs and functions included. */
export function* nodesOf(model: Model): Generator<Node> {
  for (const graph of graphsOf(model)) yield* graph.nodes;
}

/** The values that a node needs: its inputs, and what the graphs inside it take from outside. */
export function dependenciesOf(node: Node): Set<Value> {
  const needed = new Set<Value>();
  for (const value of node.inputs) if (value !== undefined) needed.add(value);
  for (const [, subgraph] of node.subgraphs()) for (const value of capturesOf(subgraph)) needed.add(value);
  return needed;
}

/** The values that a graph, or a graph inside it, uses and does not define. */
export function capturesOf(graph: Graph): Set<Value> {
  const defined = new Set<Value>([...graph.inputs, ...graph.initializers, ...graph.sparseInitializers.keys()]);
  const captured = new Set<Value>();
  for (const node of graph.nodes) {
    for (const value of dependenciesOf(node)) if (!defined.has(value)) captured.add(value);
    for (const value of node.outputs) if (value !== undefined) defined.add(value);
  }
  for (const value of graph.outputs) if (!defined.has(value)) captured.add(value);
  // A node out of order captures what comes later in the same graph: not a capture.
  for (const value of captured) if (defined.has(value)) captured.delete(value);
  return captured;
}

/**
 * Puts the nodes of one graph in topological order, changing no more than it must: among the nodes that are ready,
 * the one that stood first comes first.
 * @throws GraphError GRAPH_CYCLE
 */
export function sortTopologically(graph: Graph): void {
  const position = new Map(graph.nodes.map((node, index) => [node, index]));
  const state = new Map<Node, 'open' | 'done'>();
  const sorted: Node[] = [];
  for (const root of graph.nodes) {
    // An explicit stack: graphs are deeper than the call stack.
    const stack: { node: Node; pending: Node[] }[] = [];
    const enter = (node: Node) => {
      if (state.get(node) === 'done') return;
      if (state.get(node) === 'open') {
        throw new GraphError({
          code: 'GRAPH_CYCLE',
          message: `${node.describe()} depends on its own output.`,
          advice: 'ONNX graphs have no cycles: the file is damaged or was made by a faulty exporter.',
        });
      }
      state.set(node, 'open');
      const pending = [...dependenciesOf(node)]
        .map((value) => value.producer)
        .filter((producer): producer is Node => producer !== undefined && producer.graph === graph)
        .sort((a, b) => (position.get(b) ?? 0) - (position.get(a) ?? 0));
      stack.push({ node, pending });
    };
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.pending.pop();
      if (next !== undefined) enter(next);
      else {
        state.set(top.node, 'done');
        sorted.push(top.node);
        stack.pop();
      }
    }
  }
  graph.nodes = sorted;
}
