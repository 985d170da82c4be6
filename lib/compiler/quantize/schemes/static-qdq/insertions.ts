/** Nodes that are put in a graph at once: one by one, each would move all that follow. */
import type { Graph } from '../../../ir/graph.js';
import type { Node } from '../../../ir/node.js';

export class Insertions {
  readonly #first = new Map<Graph, Node[]>();
  readonly #before = new Map<Node, Node[]>();
  readonly #after = new Map<Node, Node[]>();

  /** In front of everything else in a graph. */
  first(graph: Graph, ...nodes: readonly Node[]): void {
    add(this.#first, graph, nodes);
  }

  before(reference: Node, ...nodes: readonly Node[]): void {
    add(this.#before, reference, nodes);
  }

  after(reference: Node, ...nodes: readonly Node[]): void {
    add(this.#after, reference, nodes);
  }

  apply(): void {
    const graphs = new Set(this.#first.keys());
    for (const reference of [...this.#before.keys(), ...this.#after.keys()]) {
      if (reference.graph !== undefined) graphs.add(reference.graph);
    }
    for (const graph of graphs) {
      const old = graph.nodes;
      const order = [...(this.#first.get(graph) ?? [])];
      for (const node of old) {
        order.push(...(this.#before.get(node) ?? []), node, ...(this.#after.get(node) ?? []));
      }
      const known = new Set(old);
      graph.append(...order.filter((node) => !known.has(node)));
      graph.nodes = order;
    }
  }
}

function add<Key>(map: Map<Key, Node[]>, key: Key, nodes: readonly Node[]): void {
  const present = map.get(key);
  if (present === undefined) map.set(key, [...nodes]);
  else present.push(...nodes);
}
