/** Which value of a conversion is the output of a layer of the source: nodes carry the path of the layer that they were written for. */
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';

export interface LayerValues {
  /** As recorded: a layer's path, with ':1' and so on behind it for its further outputs. */
  readonly layer: string;
  /** What leaves the layer, in the order of the graph; several where it has several outputs, or is called several times. */
  readonly candidates: readonly Value[];
  /** Position of the first candidate in the graph. */
  readonly position: number;
}

/** Layers in the order in which the graph computes them; those without operators of their own have no candidates and come last. */
export function layerValues(graph: Graph, layers: readonly string[]): LayerValues[] {
  const positions = new Map<Node, number>(graph.nodes.map((node, index) => [node, index]));
  const positionOf = (value: Value) => (value.producer === undefined ? -1 : (positions.get(value.producer) ?? -1));
  return layers
    .map((layer): LayerValues => {
      const candidates = candidatesOf(graph, layer);
      const [first] = candidates;
      return { layer, candidates, position: first === undefined ? Number.POSITIVE_INFINITY : positionOf(first) };
    })
    .sort((a, b) => a.position - b.position || (a.layer < b.layer ? -1 : 1));
}

function candidatesOf(graph: Graph, layer: string): Value[] {
  const exact = valuesOf(graph.nodes).find(({ name }) => name === layer);
  if (exact !== undefined) return [exact];
  const [, path = layer, index] = /^(.+):(\d+)$/s.exec(layer) ?? [];
  const own = new Set(graph.nodes.filter(({ name }) => name === path || name.startsWith(`${path}/`)));
  const leaving = valuesOf([...own]).filter((value) => {
    return value.isGraphOutput || value.consumers.some((node) => !own.has(enclosing(node, graph)));
  });
  if (index === undefined || leaving.length <= 1) return leaving;
  const chosen = leaving[Number(index)];
  return chosen === undefined ? [] : [chosen];
}

/** The node of `graph` that a node stands in, or itself. */
function enclosing(node: Node, graph: Graph): Node {
  let at = node;
  while (at.graph !== graph && at.graph?.parent !== undefined) at = at.graph.parent;
  return at;
}

function valuesOf(nodes: readonly Node[]): Value[] {
  return nodes.flatMap(({ outputs }) => outputs.filter((value) => value !== undefined));
}
