/** What goes in and out of a graph that does not say: placeholders, and what nobody reads. */
import type { GraphDef } from '../../formats/tensorflow/graph-def.js';
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

/** Names are those of the nodes. */
export function defaultSignature(graph: GraphDef): GraphSignature {
  const read = new Set(graph.nodes.flatMap((node) => dataInputs(node).map(nodeOf)));
  const inputs = graph.nodes.filter(({ op }) => op === 'Placeholder');
  const outputs = graph.nodes.filter(({ op, name }) => !read.has(name) && !NO_RESULTS.has(op));
  return {
    inputs: inputs.map(({ name }) => ({ name, tensor: name })),
    outputs: outputs.map(({ name }) => ({ name, tensor: name })),
  };
}
