/** The state of a model before a conversion, so that one that declines half-way leaves nothing behind. */
import type { Attribute } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { forEachGraph } from '../../ir/traversal.js';
import type { Value } from '../../ir/value.js';

interface NodeState {
  readonly node: Node;
  readonly opType: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly attributes: readonly (readonly [string, Attribute])[];
}

interface GraphState {
  readonly graph: Graph;
  readonly nodes: readonly NodeState[];
  readonly initializers: ReadonlySet<Value>;
}

export class Snapshot {
  readonly #graphs: GraphState[] = [];

  constructor(model: Model) {
    forEachGraph(model.graph, (graph) => {
      this.#graphs.push({
        graph,
        initializers: new Set(graph.initializers),
        nodes: graph.nodes.map((node) => ({
          node,
          opType: node.opType,
          inputs: [...node.inputs],
          outputs: [...node.outputs],
          attributes: [...node.attributes],
        })),
      });
    });
  }

  /** Undoes what was done to nodes, nodes that were added, and initializers that were added. */
  restore(): void {
    const kept = new Set(this.#graphs.flatMap(({ nodes }) => nodes.map(({ node }) => node)));
    for (const { graph } of this.#graphs) {
      for (const node of graph.nodes) {
        if (kept.has(node)) continue;
        node.setInputs([]);
        node.setOutputs([]);
        node.graph = undefined;
      }
    }
    for (const { graph, nodes, initializers } of this.#graphs) {
      graph.nodes = nodes.map(({ node }) => node);
      for (const value of graph.initializers) if (!initializers.has(value)) graph.initializers.delete(value);
      for (const { node, opType, inputs, outputs, attributes } of nodes) {
        node.opType = opType;
        node.setInputs(inputs);
        node.setOutputs(outputs);
        node.attributes.clear();
        for (const [name, attribute] of attributes) node.attributes.set(name, attribute);
      }
    }
  }
}
