/** Nodes that depend on nothing but constants, or on shapes that are known, are computed once and for all. */
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import type { Dimension, Value } from '../ir/value.js';
import { allowConstants } from './allow-constants.js';
import { evaluateNode, isEvaluable } from './evaluation/evaluate-node.js';
import type { EvaluationContext } from './evaluation/evaluator.js';
import type { ImmediatePass } from './pass.js';

export interface FoldConstantsOptions {
  /**
   * Bytes by which the constants may grow for each folded node: its outputs, less the inputs that nobody else uses. Without such a limit a
   * ConstantOfShape or an Expand of a few bytes becomes megabytes. Default 1024.
   */
  readonly maximumGrowth?: number;
}

/** Deterministic: evaluated by rules of our own, never by onnxruntime, whose results differ between CPUs. */
export function foldConstants(options: FoldConstantsOptions = {}): ImmediatePass {
  const maximumGrowth = options.maximumGrowth ?? 1024;
  return {
    name: 'fold-constants',
    run(model) {
      const declined: string[] = [];
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        const folded: Node[] = [];
        for (const node of graph.nodes) {
          if (!isCandidate(node)) continue;
          const result = fold(node, model, maximumGrowth);
          if (typeof result === 'string') declined.push(`${node.describe()} is not folded: ${result}.`);
          else if (result !== undefined) {
            makeConstants(node, result, graph);
            folded.push(node);
          }
        }
        if (folded.length === 0) return;
        graph.remove(...folded);
        modified = true;
      });
      if (modified) allowConstants(model);
      return { modified, declined };
    },
  };
}

function isCandidate(node: Node): boolean {
  return isEvaluable(node) || node.is('Shape', 'Size');
}

/** The outputs' values, a reason why not, or undefined for a node that depends on what only a run knows. */
function fold(node: Node, model: Model, maximumGrowth: number): readonly Tensor[] | string | undefined {
  if (node.is('Shape', 'Size')) return foldShape(node);
  const partial = foldPartOfShape(node, model);
  if (partial !== undefined) return [partial];
  const inputs = node.inputs.map((_, index) => node.constantInput(index));
  if (node.inputs.some((value, index) => value !== undefined && inputs[index] === undefined)) return undefined;
  const context = { opset: model.opset, maximumBytes: maximumGrowth + heldBytes(node) };
  const evaluation = evaluateNode(node, inputs, context);
  if (evaluation.kind === 'declined') return evaluation.reason;
  const bytes = byteLengthOf(evaluation.outputs);
  const allowed = maximumGrowth + releasedBytes(node);
  if (bytes <= allowed || isShareOfReplaced(node, context, maximumGrowth)) return evaluation.outputs;
  return `its outputs take ${bytes} bytes and ${allowed} are allowed`;
}

function byteLengthOf(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
}

/** Bytes of all constants that the node reads. */
function heldBytes(node: Node): number {
  let bytes = 0;
  for (const value of new Set(node.inputs)) bytes += value?.initializer?.byteLength ?? 0;
  return bytes;
}

/** Bytes of the constants that nobody needs once the node is gone. */
function releasedBytes(node: Node): number {
  let bytes = 0;
  for (const value of new Set(node.inputs)) {
    if (value === undefined || [...value.uses].some((use) => use.kind === 'output' || use.node !== node)) continue;
    bytes += value.initializer?.byteLength ?? 0;
  }
  return bytes;
}

/** Readers of one constant that are looked at together. */
const MAXIMUM_READERS = 16;

/**
 * Whether the largest constant of a node is read by nodes only that can all be folded, to no more bytes than it has: weights that an
 * exporter cuts up and puts together in another order.
 */
function isShareOfReplaced(node: Node, context: EvaluationContext, maximumGrowth: number): boolean {
  const size = (value: Value | undefined) => value?.initializer?.byteLength ?? 0;
  const whole = node.inputs.reduce((largest, value) => (size(value) > size(largest) ? value : largest), node.input(0));
  if (whole === undefined || whole.isGraphOutput) return false;
  const readers = whole.consumers;
  if (readers.length > MAXIMUM_READERS) return false;
  let total = 0;
  for (const reader of readers) {
    const inputs = reader.inputs.map((_, index) => reader.constantInput(index));
    if (reader.inputs.some((value, index) => value !== undefined && inputs[index] === undefined)) return false;
    const evaluation = evaluateNode(reader, inputs, context);
    if (evaluation.kind === 'declined') return false;
    total += byteLengthOf(evaluation.outputs);
  }
  return total <= size(whole) + maximumGrowth;
}

function makeConstants(node: Node, tensors: readonly Tensor[], graph: Graph): void {
  const { outputs } = node;
  const values = [...outputs];
  node.setOutputs([]);
  for (const [index, value] of values.entries()) {
    const tensor = tensors[index];
    if (value === undefined || tensor === undefined) continue;
    value.initializer = tensor;
    value.type = { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims };
    graph.initializers.add(value);
  }
}

/**
 * What is known of a value's dimensions. Those that the body of a loop declares for what it carries hold for one round only, and are not
 * believed.
 */
function knownDims(node: Node): readonly Dimension[] | undefined {
  const constant = node.constantInput(0);
  if (constant !== undefined) return constant.dims;
  const value = node.input(0);
  if (value === undefined) return undefined;
  for (let scope = node.graph; scope?.parent !== undefined; scope = scope.parent.graph)
    if (scope.hasInput(value)) return undefined;
  return value.type?.kind === 'tensor' ? value.type.shape : undefined;
}

/** The dimensions that a Shape returns: `start` and `end` came with version 15. */
function shapeRange(node: Node): readonly Dimension[] | undefined {
  const dims = knownDims(node);
  if (dims === undefined) return undefined;
  const clamp = (bound: number) => Math.min(dims.length, Math.max(0, bound < 0 ? bound + dims.length : bound));
  return dims.slice(clamp(node.int('start', 0)), clamp(node.int('end', dims.length)));
}

function foldShape(node: Node): readonly Tensor[] | undefined {
  const dims = node.opType === 'Shape' ? shapeRange(node) : knownDims(node);
  if (dims === undefined || !dims.every((dim): dim is number => typeof dim === 'number')) return undefined;
  if (node.opType === 'Shape') return [Tensor.int64(dims)];
  return [Tensor.int64([dims.reduce((count, dim) => count * dim, 1)], [])];
}

/** A Gather or Slice that takes only known dimensions from a shape of which others are unknown. */
function foldPartOfShape(node: Node, model: Model): Tensor | undefined {
  const shape = node.is('Gather', 'Slice') ? node.input(0)?.producer : undefined;
  if (shape?.is('Shape') !== true) return undefined;
  const dims = shapeRange(shape);
  const rest = node.inputs.slice(1).map((_, index) => node.constantInput(index + 1));
  if (
    dims === undefined ||
    node.inputs.slice(1).some((value, index) => value !== undefined && rest[index] === undefined)
  )
    return undefined;
  // Taken from a tensor of positions instead: it tells which dimensions are asked for.
  const context = { opset: model.opset, maximumBytes: 1024 };
  const positions = evaluateNode(node, [Tensor.int64(dims.map((_, axis) => axis)), ...rest], context);
  const [taken] = positions.kind === 'evaluated' ? positions.outputs : [];
  const sizes = taken?.numbers().map((axis) => dims[axis]);
  if (taken === undefined || !sizes?.every((size): size is number => typeof size === 'number')) return undefined;
  return Tensor.int64(sizes, taken.dims);
}
