/** What goes in and out of a graph that does not say: placeholders, and what nobody reads. */
import type { GraphDef, NodeDef } from '../../formats/tensorflow/graph-def.js';
import type { GraphSignature } from './convert-graph.js';
import { nodeOf } from './functions/references.js';
import { dataInputs } from './graph-order.js';

/** Ops that end a graph without being a result. */
const NO_RESULTS = new Set([
  'Assert',
  'Const',
  'NoOp',
  'Placeholder',
  'PlaceholderWithDefault',
  'SaveV2',
  'RestoreV2',
  'HashTableV2',
  'VarHandleOp',
]);

/** Names are those of the nodes. Of what nobody reads, that counts which an input has a say in: variables leave reads behind. */
export function defaultSignature(graph: GraphDef): GraphSignature {
  const read = new Set(graph.nodes.flatMap((node) => dataInputs(node).map(nodeOf)));
  const inputs = graph.nodes.filter(({ op }) => op === 'Placeholder');
  const unread = graph.nodes.filter(({ op, name }) => !read.has(name) && !NO_RESULTS.has(op));
  const fromInputs = dependents(graph, inputs);
  const results = unread.filter(({ name }) => fromInputs.has(name));
  return {
    inputs: inputs.map(({ name }) => ({ name, tensor: name })),
    outputs: (results.length > 0 ? results : unread).map(({ name }) => ({ name, tensor: name })),
  };
}

/** Names of the nodes that read any of `nodes`, or read one that does. */
function dependents(graph: GraphDef, nodes: readonly NodeDef[]): ReadonlySet<string> {
  const readers = new Map<string, string[]>();
  for (const node of graph.nodes) {
    for (const input of dataInputs(node)) {
      const known = readers.get(nodeOf(input));
      if (known === undefined) readers.set(nodeOf(input), [node.name]);
      else known.push(node.name);
    }
  }
  const found = new Set<string>();
  const open = nodes.map(({ name }) => name);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const reader of readers.get(name) ?? []) {
      if (found.has(reader)) continue;
      found.add(reader);
      open.push(reader);
    }
  }
  return found;
}
