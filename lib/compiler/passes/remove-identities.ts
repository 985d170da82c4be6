/** Nodes that do nothing are taken out: whoever read their output reads their input. */
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import { forEachGraph } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { unchangedInput } from './no-operation.js';
import type { ImmediatePass } from './pass.js';

/**
 * Outputs of graphs keep their names: where a node's output is one, the value that it copies is computed under that name instead.
 * Declines where that value has a name to keep itself (an input, a constant, another output) or belongs to a graph outside.
 */
export function removeIdentities(): ImmediatePass {
  return {
    name: 'remove-identities',
    run(model) {
      const declined: string[] = [];
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        const removed: Node[] = [];
        for (const node of graph.nodes) {
          const input = unchangedInput(node);
          if (input === undefined) continue;
          const reason = bypass(node, input, graph);
          if (reason === undefined) removed.push(node);
          else declined.push(`${node.describe()} stays: ${reason}.`);
        }
        if (removed.length === 0) return;
        graph.remove(...removed);
        modified = true;
      });
      return { modified, declined };
    },
  };
}

/** @returns why the node has to stay, if it has to. */
function bypass(node: Node, input: Value, graph: Graph): string | undefined {
  const output = node.output();
  if (!output.isGraphOutput) {
    output.replaceUsesInNodes(input);
    if (input.initializer === undefined) input.type ??= output.type;
    return undefined;
  }
  const { producer } = input;
  if (producer?.graph !== graph)
    return `its output '${output.name}' is one of the graph's, and its input is not computed there`;
  if (input.isGraphOutput) return `'${input.name}' and '${output.name}' are both outputs`;
  node.setOutputs([]);
  producer.setOutputs(producer.outputs.map((value) => (value === input ? output : value)));
  input.replaceUsesInNodes(output);
  output.type ??= input.type;
  return undefined;
}
