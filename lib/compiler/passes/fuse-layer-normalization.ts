/**
 * (x - mean(x)) / sqrt(var(x) + epsilon) · scale + bias over the last axes, spelled out, to LayerNormalization. onnxruntime
 * does the same when it loads a model, unless another rewrite reached into the pattern first: run this before those that
 * fold constants.
 */
import { attribute } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { elementCount, Tensor } from '../ir/tensor.js';
import { graphsOf } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { constantBehind, inferElementType, inferRank } from './inferred-type.js';
import type { Pass, PassResult } from './pass.js';
import { otherInput, replaceNodes, scalarOperation } from './pattern.js';

interface Normalization {
  readonly x: Value;
  readonly epsilon: number;
  /** How many of the last axes it runs over. */
  readonly axes: number;
  readonly nodes: readonly Node[];
  readonly output: Value;
}

/** Needs opset 17. */
export function fuseLayerNormalization(): Pass {
  return { name: 'fuse-layer-normalization', run };
}

function run(model: Model): PassResult {
  const declined: string[] = [];
  let modified = false;
  for (const graph of graphsOf(model)) {
    for (const node of [...graph.nodes]) {
      if (node.graph !== graph) continue;
      const found = normalizationAround(node);
      if (found === undefined) continue;
      const reason = typeof found === 'string' ? found : fuse(model, graph, found);
      if (reason === undefined) modified = true;
      else declined.push(`${node.describe()}: ${reason}`);
    }
  }
  return { modified, declined };
}

/** Looks both ways from the square root of a variance. */
function normalizationAround(root: Node): Normalization | string | undefined {
  if (!root.is('Sqrt') && scalarOperation(root, 'Pow')?.scalar !== 0.5) return undefined;
  const sum = root.input(0)?.producer;
  const shifted = scalarOperation(sum, 'Add');
  const variance = shifted?.data.producer;
  const square = variance?.is('ReduceMean') ? variance.input(0)?.producer : undefined;
  const difference = square === undefined ? undefined : squared(square)?.producer;
  if (sum === undefined || shifted === undefined || variance === undefined || square === undefined) return undefined;
  const mean = difference?.is('Sub') ? difference.input(1)?.producer : undefined;
  const x = difference?.input(0);
  if (difference === undefined || x === undefined || !mean?.is('ReduceMean') || mean.input(0) !== x) return undefined;

  const division = divisionBy(root.output(), x, mean);
  if (division === undefined) return 'what it divides is not the same difference, or others read it';
  const axes = trailingAxes(variance);
  if (axes === undefined || axes !== trailingAxes(mean)) return 'it does not run over the last axes, or it drops them';
  return {
    x,
    epsilon: shifted.scalar,
    axes,
    nodes: [mean, difference, square, variance, sum, root, ...division.nodes],
    output: division.output,
  };
}

/** What Pow(d, 2) or d · d squares. */
function squared(node: Node): Value | undefined {
  if (node.is('Mul')) return node.input(0) === node.input(1) ? node.input(0) : undefined;
  const power = scalarOperation(node, 'Pow');
  return power?.position === 0 && power.scalar === 2 ? power.data : undefined;
}

/** (x - mean) / deviation, or times its reciprocal; the difference may be computed a second time. */
function divisionBy(
  deviation: Value,
  x: Value,
  mean: Node,
): { readonly nodes: readonly Node[]; readonly output: Value } | undefined {
  const next = deviation.soleConsumer;
  if (next === undefined) return undefined;
  const isReciprocal = next.is('Reciprocal');
  const divisor = isReciprocal ? next.output() : deviation;
  const division = isReciprocal ? divisor.soleConsumer : next;
  if (division === undefined || !division.is(isReciprocal ? 'Mul' : 'Div')) return undefined;
  if (!isReciprocal && division.input(1) !== divisor) return undefined;
  const numerator = otherInput(division, divisor)?.producer;
  if (!numerator?.is('Sub') || numerator.input(0) !== x || numerator.input(1) !== mean.output()) return undefined;
  return { nodes: isReciprocal ? [numerator, next, division] : [numerator, division], output: division.output() };
}

/** The number of axes that a reduction runs over if they are the last ones and stay as dimensions of 1. */
function trailingAxes(node: Node): number | undefined {
  const axes = node.ints('axes') ?? constantBehind(node, 1)?.numbers();
  if (axes === undefined || axes.length === 0 || node.int('keepdims', 1) !== 1) return undefined;
  const rank = inferRank(node.input(0));
  if (rank === undefined && axes.some((axis) => axis >= 0)) return undefined;
  const fromEnd = new Set(axes.map((axis) => (axis < 0 ? -axis : (rank ?? 0) - axis)));
  for (let position = 1; position <= axes.length; position++) if (!fromEnd.has(position)) return undefined;
  return axes.length;
}

function fuse(model: Model, graph: Graph, found: Normalization): string | undefined {
  if (model.opset < 17) return `LayerNormalization needs opset 17, and the model has ${model.opset}`;
  const elementType = inferElementType(found.x);
  if (elementType !== 'float32') return `its data is ${elementType ?? 'of unknown type'}, not float32`;
  const scaled = parameter(found.output, 'Mul', found);
  const dims = scaled?.tensor.dims ?? normalizedDims(found);
  const shifted = dims === undefined ? undefined : parameter(scaled?.output ?? found.output, 'Add', found, dims);
  if (dims === undefined) return 'it has no scale, and the size of the axes it runs over is unknown';
  const nodes = [...found.nodes, ...(scaled?.nodes ?? []), ...(shifted?.nodes ?? [])];
  const last = nodes.at(-1);
  if (last === undefined) return undefined;
  const output = last.output();
  return replaceNodes(graph, nodes, last, () => {
    const scale = scaled?.tensor ?? Tensor.fromNumbers('float32', dims, new Float32Array(elementCount(dims)).fill(1));
    const inputs = [found.x, scaled?.value ?? graph.addInitializer(model.freshName(`${output.name}_scale`), scale)];
    if (shifted !== undefined) inputs.push(shifted.value);
    const attributes = { axis: attribute.int(-found.axes), epsilon: attribute.float(Math.fround(found.epsilon)) };
    return [new Node('LayerNormalization', inputs, [output], { attributes })];
  });
}

/** A constant of the normalized shape that `value` goes through alone. */
function parameter(value: Value, opType: 'Mul' | 'Add', found: Normalization, dims?: readonly number[]) {
  const node = value.soleConsumer;
  if (node === undefined || !node.is(opType) || node.graph !== value.producer?.graph) return undefined;
  const position = node.input(0) === value ? 1 : 0;
  const tensor = node.constantInput(position);
  const constant = node.input(position);
  if (constant === undefined || tensor?.elementType !== 'float32' || tensor.dims.length !== found.axes)
    return undefined;
  const expected = dims ?? normalizedDims(found);
  // Of unknown size, a constant of one element may have to be repeated.
  if (expected === undefined ? tensor.count === 1 : String(tensor.dims) !== String(expected)) return undefined;
  return { nodes: [node], tensor, value: constant, output: node.output() };
}

function normalizedDims({ x, axes }: Normalization): readonly number[] | undefined {
  const shape = x.type?.kind === 'tensor' ? x.type.shape?.slice(-axes) : undefined;
  return shape?.every((dimension) => typeof dimension === 'number') && shape.length === axes
    ? (shape as readonly number[])
    : undefined;
}
