/** What half precision does to a model, made visible on a CPU. */
import { copyModel } from '../../ir/copy.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { forEachGraph, sortTopologically } from '../../ir/traversal.js';
import { Value } from '../../ir/value.js';
import { ElementTypes } from './element-types.js';

/**
 * A copy in which every float16 value that a node computes passes through an Identity. onnxruntime's CPU provider computes most float16
 * operators in float32 and leaves out the Casts between two of them, and with them the rounding and the overflow that a GPU has; an Identity
 * has a kernel for float16 of its own. Run it with the optimization level `disabled`: the others take Identities out.
 */
export function withRounding(model: Model): Model {
  const copy = copyModel(model);
  const types = new ElementTypes(copy.graph);
  forEachGraph(copy.graph, (graph) => {
    const identities: Node[] = [];
    for (const node of graph.nodes) {
      const outputs = node.outputs.map((value) => {
        if (value === undefined || types.of(value) !== 'float16') return value;
        const exact = new Value(copy.freshName(`${value.name}_exact`), value.type);
        identities.push(new Node('Identity', [exact], [value]));
        return exact;
      });
      if (outputs.some((value, index) => value !== node.outputs[index])) node.setOutputs(outputs);
    }
    for (const identity of identities) identity.output().producer = identity;
    graph.append(...identities);
    sortTopologically(graph);
  });
  return copy;
}
