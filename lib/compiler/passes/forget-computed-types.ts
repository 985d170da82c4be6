/** Forgets what a file says of the values that it computes. */
import { forEachGraph } from '../ir/traversal.js';
import type { ImmediatePass } from './pass.js';

/**
 * Nobody checks value_info: tools that free or fix a dimension of an input leave it as it was, and a rewrite that believes a stale size
 * breaks the model for every other one. Types of inputs and outputs are the signature, and stay; those of computed values can be had from
 * onnxruntime.
 */
export function forgetComputedTypes(): ImmediatePass {
  return {
    name: 'forget-computed-types',
    run(model) {
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        for (const node of graph.nodes) {
          for (const value of node.outputs) {
            if (value?.type?.kind !== 'tensor' || value.isGraphOutput) continue;
            value.type = undefined;
            modified = true;
          }
        }
      });
      return { modified };
    },
  };
}
