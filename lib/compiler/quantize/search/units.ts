/** What recipes are chosen for: nodes, those that share a weight together, because a weight that is stored twice saves nothing. */
import type { NodeKey } from '../../../artifact/recipe.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { forEachGraph } from '../../ir/traversal.js';
import type { Value } from '../../ir/value.js';
import { clipBounds } from '../../passes/pattern.js';
import { nodeKeyOf } from '../node-key.js';

export interface Unit {
  readonly index: number;
  /** In the graph's order. */
  readonly nodes: readonly Node[];
  readonly keys: readonly NodeKey[];
  /**
   * Relus and Clips that alone read what a node of the unit returns: onnxruntime computes both at once, and what they cut off needs no range.
   * By node of the unit, undefined where it has none.
   */
  readonly clamps: readonly (Node | undefined)[];
  /** float32 constants that its nodes read, each once. */
  readonly weights: readonly Value[];
  /** float32 bytes of the weights that no unit before it has. */
  readonly weightBytes: number;
  /** In the main graph, where values can be looked at. */
  readonly isVisible: boolean;
}

/** Vectors (biases, norms) are too small for sharing them to matter. */
const SHARED_FROM_BYTES = 1024;

/** All nodes of the main graph and of the graphs inside it that compute with floats, or hold constants. */
export function unitsOf(model: Model): Unit[] {
  const groups: Node[][] = [];
  const groupOf = new Map<Value, Node[]>();
  const clamped = new Set<Node>();
  forEachGraph(model.graph, (graph) => {
    for (const node of graph.nodes) {
      if (node.outputs.every((value) => value === undefined) || clamped.has(node)) continue;
      const clamp = clampBehind(node);
      if (clamp !== undefined) clamped.add(clamp);
      const shared = weightsOf(node).filter((value) => (value.initializer?.byteLength ?? 0) >= SHARED_FROM_BYTES);
      const known = new Set(shared.flatMap((value) => groupOf.get(value) ?? []));
      const joined = groups.filter((group) => group.some((member) => known.has(member)));
      const [first, ...others] = joined;
      const group = first ?? [];
      if (first === undefined) groups.push(group);
      for (const other of others) {
        group.push(...other);
        groups.splice(groups.indexOf(other), 1);
      }
      group.push(node);
      for (const member of group) for (const value of weightsOf(member)) groupOf.set(value, group);
    }
  });
  const counted = new Set<Value>();
  return groups.map((nodes, index) => {
    const weights = [...new Set(nodes.flatMap(weightsOf))];
    const fresh = weights.filter((value) => !counted.has(value));
    for (const value of fresh) counted.add(value);
    return {
      index,
      nodes,
      keys: nodes.map(nodeKeyOf),
      clamps: nodes.map(clampBehind),
      weights,
      weightBytes: fresh.reduce((sum, value) => sum + (value.initializer?.byteLength ?? 0), 0),
      isVisible: nodes.every((node) => node.graph === model.graph),
    };
  });
}

/** Nodes of the unit with their clamps, in the graph's order. */
export function nodesWithClamps({ nodes, clamps }: Unit): Node[] {
  return nodes.flatMap((node, index) => [node, clamps[index]].filter((one) => one !== undefined));
}

/** The operators whose integer kernels take in the clamp behind them. */
function clampBehind(node: Node): Node | undefined {
  if (!node.is('Conv', 'Add', 'Gemm', 'MatMul')) return undefined;
  const [output] = node.outputs;
  const clamp = output?.soleConsumer;
  if (clamp === undefined || clamp.graph !== node.graph || clamp.input(0) !== output) return undefined;
  return clamp.is('Relu') || (clamp.is('Clip') && clipBounds(clamp) !== undefined) ? clamp : undefined;
}

function weightsOf(node: Node): Value[] {
  return node.inputs.filter(
    (value): value is Value => value?.initializer?.elementType === 'float32' && node.inputs.includes(value),
  );
}
