/**
 * Weights stored as int8 behind Cast and Mul, which onnxruntime computes once, when it loads the model: a quarter of the file, single
 * precision at run time. (It would not fold a DequantizeLinear, and compute it at every run.)
 */
import type { WeightOnlyRecipe } from '../../../artifact/recipe.js';
import { attribute } from '../../ir/attribute.js';
import { elementTypeNumber } from '../../ir/element-type.js';
import type { Graph } from '../../ir/graph.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { Value } from '../../ir/value.js';
import { needsExactConstant } from '../../passes/store-float16.js';
import { quantizeWeight } from '../parameters/quantize-weight.js';
import type { SchemeContext, SchemeRewrite } from '../scheme.js';
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

export interface WeightOnlyOptions {
  /** Weights under this size stay: Cast, Mul and scales would take more of the file than int8 saves. Default 1,024. */
  readonly minimumBytes?: number;
  /** Where a channel has fewer numbers than this, one scale serves the whole weight. Default 8. */
  readonly minimumChannel?: number;
}

const TO_FLOAT32 = { to: attribute.int(elementTypeNumber('float32')) };

/** Of every node with a constant of at least two axes, whatever it computes. */
export function weightOnly(options: WeightOnlyOptions = {}): SchemeRewrite<WeightOnlyRecipe> {
  const { minimumBytes = 1024, minimumChannel = 8 } = options;
  const scheme: SchemeRewrite<WeightOnlyRecipe> = {
    scheme: 'int8-weight-only',
    opsets: { '': 7 },

    refusal(node) {
      if (weightsOf(node, minimumBytes).length > 0) return undefined;
      return `${node.describe()} has no constant float32 weight of at least ${minimumBytes} bytes and two axes`;
    },

    activations: () => [],

    rewrite(assignments, context) {
      const { accepted, declined } = acceptedBy(scheme, assignments, context.model);
      const stored = new Derived<Value | string>();
      const added = new Map<Graph, Node[]>();
      const released = new Map<ConstantWeight, Value>();
      for (const { node, recipe } of accepted) {
        for (const { index, weight } of weightsOf(node, minimumBytes)) {
          const restored = stored.get(weight.value, `${recipe.perChannel}`, () => {
            const axes = recipe.perChannel ? channelAxes(node, index, weight.tensor.dims) : undefined;
            return store(weight, isWorthwhile(axes, weight.tensor, minimumChannel) ? axes : undefined, context, added);
          });
          if (typeof restored === 'string') declined.push({ node: nameOf(node), reason: restored });
          else {
            node.setInput(index, restored);
            released.set(weight, restored);
          }
        }
      }
      for (const [graph, nodes] of added) prepend(graph, nodes);
      releaseWeights(released.keys());
      for (const [weight, restored] of released) takeName(weight, restored);
      return declined;
    },
  };
  return scheme;
}

interface Input {
  readonly index: number;
  readonly weight: ConstantWeight;
}

/** Matrices and larger; vectors are biases and norms, small and easily hurt. */
function weightsOf(node: Node, minimumBytes: number): readonly Input[] {
  return node.inputs.flatMap((value, index): Input[] => {
    if (value === undefined || needsExactConstant(node, index)) return [];
    const weight = weightOf(node, index);
    if (typeof weight === 'string' || value.isGraphOutput) return [];
    const { tensor } = weight;
    return tensor.dims.length >= 2 && tensor.byteLength >= minimumBytes ? [{ index, weight }] : [];
  });
}

/** The axes that scales differ along: neighbours, so that a reshape makes them one. */
type Axes = { readonly from: number; readonly to: number } | undefined;

/** What the outputs of the operator are computed from, one by one. */
function channelAxes(node: Node, index: number, dims: readonly number[]): Axes {
  const at = (axis: number) => ({ from: axis, to: axis });
  const last = dims.length - 1;
  if (node.is('Conv') && index === 1) return at(0);
  if (node.is('ConvTranspose') && index === 1) return at(1);
  if (node.is('MatMul')) return at(index === 0 ? last - 1 : last);
  if (node.is('Gemm') && index < 2) return at(node.int(index === 0 ? 'transA' : 'transB', 0) === index ? 0 : 1);
  if (node.is('LSTM', 'GRU', 'RNN') && last === 2) return { from: 0, to: 1 };
  const first = dims.findIndex((size) => size > 1);
  return first < 0 ? undefined : at(first);
}

function isWorthwhile(axes: Axes, { dims, count }: Tensor, minimumChannel: number): boolean {
  if (axes === undefined) return false;
  const channels = dims.slice(axes.from, axes.to + 1).reduce((product, size) => product * size, 1);
  return count / channels >= minimumChannel;
}

function store(
  weight: ConstantWeight,
  axes: Axes,
  { model, quantizedWeight }: SchemeContext,
  added: Map<Graph, Node[]>,
): Value | string {
  const { value, tensor, graph } = weight;
  const given = quantizedWeight(value.name);
  const quantized = given === undefined ? quantizeAlong(value.name, tensor, axes) : fromGiven(given, value.name);
  if (typeof quantized === 'string') return quantized;
  const integers = graph.addInitializer(model.freshName(`${value.name}_int8`), quantized.integers);
  const scale = graph.addInitializer(model.freshName('weight_scale'), quantized.scale);
  const real = new Value(model.freshName('weight_cast'));
  const restored = new Value(model.freshName(`${value.name}_restored`));
  const nodes = added.get(graph) ?? [];
  added.set(graph, nodes);
  nodes.push(
    new Node('Cast', [integers], [real], { attributes: TO_FLOAT32 }),
    new Node('Mul', [real, scale], [restored]),
  );
  return restored;
}

interface Quantized {
  readonly integers: Tensor;
  /** Broadcasts to the integers' dims. */
  readonly scale: Tensor;
}

function quantizeAlong(name: string, tensor: Tensor, axes: Axes): Quantized {
  const { dims } = tensor;
  const size = (part: readonly number[]) => part.reduce((product, each) => product * each, 1);
  const flat =
    axes === undefined
      ? dims
      : [size(dims.slice(0, axes.from)), size(dims.slice(axes.from, axes.to + 1)), size(dims.slice(axes.to + 1))];
  const view = Tensor.fromTyped('float32', flat, tensor.typed());
  const { integers, parameters } = quantizeWeight(name, view, { dataType: 'int8', ...(axes && { axis: 1 }) });
  const along = dims.map((each, axis) => (axes !== undefined && axis >= axes.from && axis <= axes.to ? each : 1));
  return {
    integers: new Tensor('int8', dims, integers.storage),
    scale: Tensor.fromNumbers('float32', axes === undefined ? [] : along, parameters.scale),
  };
}

function fromGiven(
  { integers, parameters }: NonNullable<ReturnType<SchemeContext['quantizedWeight']>>,
  name: string,
): Quantized | string {
  const { axis, scale, zeroPoint, dataType } = parameters;
  if (dataType !== 'int8' || zeroPoint.some((number) => number !== 0)) {
    return `the integers chosen for '${name}' are not int8 around 0`;
  }
  const dims = axis === undefined ? [] : integers.dims.map((size, index) => (index === axis ? size : 1));
  return { integers, scale: Tensor.fromNumbers('float32', dims, scale) };
}
