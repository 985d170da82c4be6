/** Plans for tests: one recipe for every node that can have it, with ranges recorded on the feeds at hand. */
import { type OnnxValue, Tensor as OrtTensor } from 'onnxruntime-node';
import type { QuantizationParameters, StaticRecipe } from '../../lib/artifact/recipe.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import type { Node } from '../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { forEachGraph } from '../../lib/compiler/ir/traversal.js';
import type { Value } from '../../lib/compiler/ir/value.js';
import { nodeKeyOf } from '../../lib/compiler/quantize/node-key.js';
import { activationParameters, type Range } from '../../lib/compiler/quantize/parameters/scale-and-zero-point.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../lib/compiler/quantize/plan.js';
import { staticQdq } from '../../lib/compiler/quantize/schemes/static-qdq/static-qdq.js';
import { runModel } from './run-model.js';

export type OrtFeeds = Readonly<Record<string, OnnxValue>>;

export const STATIC: StaticRecipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};

export interface StaticPlanOptions {
  readonly recipe?: StaticRecipe;
  /** Nodes that are to be quantized; ranges are recorded for all that can be, as a search does. Default all. */
  readonly only?: (node: Node) => boolean;
}

/** The plan, and the ranges that it was made from. The model is left as it is. */
export async function staticPlan(
  model: Model,
  feeds: OrtFeeds,
  { recipe = STATIC, only = () => true }: StaticPlanOptions = {},
): Promise<{
  readonly plan: QuantizationPlan;
  /** Names of the values whose ranges the scheme asks for. */
  readonly values: readonly string[];
  readonly ranges: ReadonlyMap<string, Range>;
}> {
  const assignments = quantizableNodes(model, recipe).map((node) => ({ node, recipe }));
  const values = staticQdq.activations(assignments);
  const ranges = await recordRanges(model, values, feeds);
  const activations: QuantizationParameters[] = [...ranges].map(([name, range]) =>
    activationParameters(name, range, { dataType: recipe.activations }),
  );
  const recipes = assignments.filter(({ node }) => only(node)).map(({ node }) => ({ node: nodeKeyOf(node), recipe }));
  return { plan: { ...EMPTY_PLAN, recipes, activations }, values, ranges };
}

export function quantizableNodes(model: Model, recipe: StaticRecipe = STATIC): Node[] {
  const nodes: Node[] = [];
  forEachGraph(model.graph, (graph) => {
    nodes.push(...graph.nodes.filter((node) => staticQdq.refusal(node, recipe) === undefined));
  });
  return nodes;
}

/** Smallest and largest number of values of the main graph, in one run of the model node by node. */
export async function recordRanges(
  model: Model,
  names: readonly string[],
  feeds: OrtFeeds,
): Promise<Map<string, Range>> {
  const wanted = new Set(names);
  const computed: Value[] = [];
  for (const node of model.graph.nodes) {
    for (const value of node.outputs) if (value !== undefined && wanted.has(value.name)) computed.push(value);
  }
  const outputs = [...model.graph.outputs];
  const added = computed.filter((value) => !outputs.includes(value));
  for (const value of added) value.type ??= { kind: 'tensor', elementType: 'float32', shape: undefined };
  model.graph.setOutputs([...outputs, ...added]);
  const bytes = modelToBytes(model);
  model.graph.setOutputs(outputs);
  const results = { ...feeds, ...(await runModel(bytes, feeds)) };
  const ranges = new Map<string, Range>();
  for (const name of names) {
    const tensor = results[name];
    if (!(tensor instanceof OrtTensor) || tensor.type !== 'float32') continue;
    let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const number of tensor.data as Float32Array) {
      min = Math.min(min, number);
      max = Math.max(max, number);
    }
    if (min <= max && Number.isFinite(max - min)) ranges.set(name, { min, max });
  }
  return ranges;
}
