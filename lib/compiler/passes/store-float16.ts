/**
 * Weights stored in half precision: float32 initializers become float16 ones behind a Cast, which onnxruntime computes once,
 * when it loads the model. About half the file, single precision at run time, no slower (optimization level `basic` or above;
 * with `disabled` every run pays for the Casts).
 */
import { attribute } from '../ir/attribute.js';
import { elementTypeNumber } from '../ir/element-type.js';
import { float16ToNumber, numberToFloat16 } from '../ir/float16.js';
import type { Graph } from '../ir/graph.js';
import { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { graphsOf } from '../ir/traversal.js';
import { type Use, Value } from '../ir/value.js';
import type { Pass } from './pass.js';

export interface StoreFloat16Options {
  /**
   * Initializers under this many bytes stay: a Cast takes about a hundred bytes of the file and a few microseconds of loading.
   * Default 1,024.
   */
  readonly minimumBytes?: number;
  /**
   * An initializer stays if ‖w - half(w)‖ / ‖w‖ exceeds this: it holds many numbers below 6.1e-5, where half precision thins
   * out. Default 1e-3; rounding alone makes about 2e-4.
   */
  readonly maximumRelativeError?: number;
}

/** Under this size a Cast costs more than it saves. */
export const MINIMUM_BYTES = 1024;
const MAXIMUM_RELATIVE_ERROR = 1e-3;

/** The largest finite float16. */
const LARGEST = 65_504;

/** Inputs that are no weights: steps and positions, whose rounding would move whole tensors. */
const LEFT_ALONE: Readonly<Record<string, readonly number[]>> = {
  DequantizeLinear: [1],
  QuantizeLinear: [1],
  Resize: [1, 2],
  Upsample: [1],
};

/** Stores each initializer once, however many nodes and subgraphs read it, with one Cast in the graph that it belongs to. */
export function storeFloat16(options: StoreFloat16Options = {}): Pass {
  const { minimumBytes = MINIMUM_BYTES, maximumRelativeError = MAXIMUM_RELATIVE_ERROR } = options;
  return {
    name: 'store-float16',
    run(model) {
      const declined: string[] = [];
      let modified = false;
      for (const graph of graphsOf(model)) {
        const casts: Node[] = [];
        for (const value of [...graph.initializers]) {
          const tensor = value.initializer;
          if (tensor?.elementType !== 'float32' || tensor.byteLength < minimumBytes || value.uses.size === 0) continue;
          const half = whyNot(value, graph) ?? roundToFloat16(tensor, maximumRelativeError);
          if (typeof half === 'string') declined.push(`'${value.name}' stays in float32: ${half}`);
          else casts.push(store(graph, value, half, model.freshName(`${value.name}_float16`)));
        }
        const [first] = graph.nodes;
        if (first === undefined) graph.append(...casts);
        else graph.insertBefore(first, ...casts);
        modified ||= casts.length > 0;
      }
      return { modified, declined };
    },
  };
}

function whyNot(value: Value, graph: Graph): string | undefined {
  if (graph.hasInput(value)) return 'callers may pass another in its place';
  if (value.isGraphOutput) return 'it is an output of a graph';
  const use = [...value.uses].find(isLeftAlone);
  return use?.kind === 'input' ? `${use.node.describe()} needs it as it is` : undefined;
}

function isLeftAlone(use: Use): boolean {
  return use.kind === 'input' && needsExactConstant(use.node, use.index);
}

/** Whether a constant at this input must not be rounded: a step or a position, which moves whole tensors. */
export function needsExactConstant(node: Node, index: number): boolean {
  return node.domain === '' && (LEFT_ALONE[node.opType]?.includes(index) ?? false);
}

/** A float32 tensor in half precision; a string says why it would lose too much (`maximumRelativeError` as in the options). */
export function roundToFloat16(tensor: Tensor, maximumRelativeError: number = MAXIMUM_RELATIVE_ERROR): Tensor | string {
  const numbers = tensor.typed() as Float32Array;
  const halves = new Uint16Array(numbers.length);
  let [error, energy, largest] = [0, 0, 0];
  for (const [index, number] of numbers.entries()) {
    const half = numberToFloat16(number);
    halves[index] = half;
    largest = Math.max(largest, Math.abs(number));
    error += (number - float16ToNumber(half)) ** 2;
    energy += number ** 2;
  }
  // Also true for NaN.
  if (!(largest <= LARGEST)) return `it holds ${largest}, and float16 ends at ${LARGEST}`;
  const relative = energy === 0 ? 0 : Math.sqrt(error / energy);
  if (relative > maximumRelativeError) {
    return `rounding changes it by ${relative.toExponential(1)} of its norm, more than ${maximumRelativeError}`;
  }
  return Tensor.fromTyped('float16', tensor.dims, halves);
}

/** The restored weights keep the initializer's name. */
function store(graph: Graph, value: Value, half: Tensor, name: string): Node {
  const restored = new Value(value.name, value.type);
  value.replaceUsesInNodes(restored);
  graph.initializers.delete(value);
  return castToFloat32(graph.addInitializer(name, half), restored);
}

/** The Cast that onnxruntime folds. */
export function castToFloat32(from: Value, to: Value): Node {
  return new Node('Cast', [from], [to], { attributes: { to: attribute.int(elementTypeNumber('float32')) } });
}
