/** Weights of chosen nodes stored in half precision behind a Cast that onnxruntime folds at load; passes/store-float16.ts does whole models. */
import type { Float16StorageRecipe } from '../../../artifact/recipe.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import { Value } from '../../ir/value.js';
import { castToFloat32, MINIMUM_BYTES, needsExactConstant, roundToFloat16 } from '../../passes/store-float16.js';
import type { SchemeRewrite } from '../scheme.js';
import {
  acceptedBy,
  type ConstantWeight,
  Derived,
  nameOf,
  prepend,
  releaseWeights,
  takeName,
  weightOf,
} from './constant-weight.js';

export interface Float16StorageOptions {
  /** Weights under this size stay. Default 1,024. */
  readonly minimumBytes?: number;
}

export function float16Storage(options: Float16StorageOptions = {}): SchemeRewrite<Float16StorageRecipe> {
  const { minimumBytes = MINIMUM_BYTES } = options;
  const scheme: SchemeRewrite<Float16StorageRecipe> = {
    scheme: 'fp16-storage',
    opsets: { '': 7 },

    refusal(node) {
      if (weightsOf(node, minimumBytes).length > 0) return undefined;
      return `${node.describe()} has no constant float32 weight of at least ${minimumBytes} bytes`;
    },

    activations: () => [],

    rewrite(assignments, { model }) {
      const { accepted, declined } = acceptedBy(scheme, assignments, model);
      const stored = new Derived<Value | string>();
      const casts = new Map<Graph, Node[]>();
      const released = new Map<ConstantWeight, Value>();
      for (const { node } of accepted) {
        for (const { index, weight } of weightsOf(node, minimumBytes)) {
          const { value, tensor, graph } = weight;
          const restored = stored.get(value, '', () => {
            const half = roundToFloat16(tensor);
            if (typeof half === 'string') return `'${value.name}' stays in float32: ${half}`;
            const result = new Value(model.freshName(`${value.name}_restored`), value.type);
            const initializer = graph.addInitializer(model.freshName(`${value.name}_float16`), half);
            casts.set(graph, [...(casts.get(graph) ?? []), castToFloat32(initializer, result)]);
            return result;
          });
          if (typeof restored === 'string') {
            declined.push({ node: nameOf(node), reason: restored });
            continue;
          }
          node.setInput(index, restored);
          released.set(weight, restored);
        }
      }
      for (const [graph, nodes] of casts) prepend(graph, nodes);
      releaseWeights(released.keys());
      for (const [weight, restored] of released) takeName(weight, restored);
      return declined;
    },
  };
  return scheme;
}

function weightsOf(
  node: Node,
  minimumBytes: number,
): readonly { readonly index: number; readonly weight: ConstantWeight }[] {
  return node.inputs.flatMap((value, index) => {
    if (value === undefined || value.isGraphOutput || needsExactConstant(node, index)) return [];
    const weight = weightOf(node, index);
    return typeof weight === 'object' && weight.tensor.byteLength >= minimumBytes ? [{ index, weight }] : [];
  });
}
