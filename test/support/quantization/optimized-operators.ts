/** Operators of the graph that onnxruntime makes of a model when it loads it, those in subgraphs included, in its order. */
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import { optimizedModel } from '../optimized-graph.js';

export async function optimizedOperators(model: Model, level: 'basic' | 'extended' | 'all' = 'all'): Promise<string[]> {
  return [...nodesOf(await optimizedModel(modelToBytes(model), level))].map((node) => node.opType);
}
