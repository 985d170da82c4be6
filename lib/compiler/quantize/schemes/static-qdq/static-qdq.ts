/** Activations with recorded ranges and weights as integers, in pairs of QuantizeLinear and DequantizeLinear that onnxruntime fuses. */
import type { QuantizationParameters, StaticRecipe } from '../../../../artifact/recipe.js';
import type { Graph } from '../../../ir/graph.js';
import type { Node } from '../../../ir/node.js';
import { forEachGraph } from '../../../ir/traversal.js';
import type { Value } from '../../../ir/value.js';
import { activationParameters } from '../../parameters/scale-and-zero-point.js';
import type { Assignment, SchemeContext, SchemeRewrite } from '../../scheme.js';
import { ActivationWriter } from './activations.js';
import { existingParameters } from './existing-quantization.js';
import { Layout, type PlannedNode, refusalOrOperator } from './layout.js';
import { QuantizationWriter } from './quantization-writer.js';
import { isUnit, standInOf } from './stand-ins.js';
import { WeightWriter } from './weights.js';

type Declined = { node: string; reason: string };

export const staticQdq: SchemeRewrite<StaticRecipe> = {
  scheme: 'int8-static',
  // DequantizeLinear has an axis from 13 on; 16 bits are in onnxruntime's own domain.
  opsets: { '': 13, 'com.microsoft': 1 },

  refusal(node, recipe) {
    const operator = refusalOrOperator(node, recipe);
    return typeof operator === 'string' ? operator : undefined;
  },

  company(node, recipe) {
    const operator = refusalOrOperator(node, recipe);
    if (typeof operator === 'string' || operator.follows === 'nothing') return 'not-needed';
    return operator.output === 'own' && operator.isFused ? 'noisy' : 'exact';
  },

  activations(assignments) {
    return new Layout(assignments).recorded().map(({ name }) => name);
  },

  rewrite(assignments, context) {
    const { layout, parameters, declined } = settle(inGraphOrder(assignments, context), context);
    const writer = new QuantizationWriter(context.model);
    const weights = new WeightWriter(writer, context);
    // Before activations are rewired: existing quantization is told by what nodes read now.
    for (const planned of layout.nodes.values()) writeConstants(planned, weights, parameters);
    const absorbed = new ActivationWriter(writer, layout, parameters).write();
    writer.insertions.apply();
    for (const node of absorbed) node.graph?.remove(node);
    for (const { node, reason } of layout.declined) declined.push({ node: nameOf(node), reason });
    return declined;
  },
};

/** Leaves out nodes that lack a range, and then those that stand alone without them, until the rest can be had. */
function settle(assignments: readonly Assignment<StaticRecipe>[], context: SchemeContext) {
  const declined: Declined[] = [];
  for (let remaining = assignments; ; ) {
    const layout = new Layout(remaining);
    const parameters = parametersOf(layout, context);
    const missing = (value: Value) => layout.values.has(value) && !parameters.has(value);
    if (![...layout.values.keys()].some(missing)) return { layout, parameters, declined };
    const lacking = new Map<Node, Value>();
    for (const { node } of layout.nodes.values()) {
      const touched = [...node.inputs, ...node.outputs].find((value) => value !== undefined && missing(value));
      if (touched !== undefined) lacking.set(node, layout.originOf(touched));
    }
    for (const [node, value] of lacking) {
      declined.push({ node: nameOf(node), reason: `the range of '${value.name}' is not known` });
    }
    remaining = remaining.filter(({ node }) => !lacking.has(node));
  }
}

/** Of every value that is to be quantized and whose parameters can be had. */
function parametersOf(layout: Layout, context: SchemeContext): Map<Value, QuantizationParameters> {
  const parameters = new Map<Value, QuantizationParameters>();
  for (const value of layout.values.keys()) {
    const chosen = parametersAt(layout.originOf(value), layout, context);
    if (chosen !== undefined) parameters.set(value, { ...chosen, tensor: value.name });
  }
  return parameters;
}

/** Those in the file, else those of the plan, else those of what stands in for the value. */
function parametersAt(origin: Value, layout: Layout, context: SchemeContext): QuantizationParameters | undefined {
  for (let value: Value | undefined = origin; value !== undefined; value = standInOf(value)) {
    const known = existingParameters(value) ?? context.activation(value.name);
    if (known !== undefined) return known;
    const dataType = layout.recipeAt(value)?.activations ?? layout.recipeAt(origin)?.activations;
    if (isUnit(value) && dataType !== undefined) {
      return activationParameters(value.name, { min: 0, max: 1 }, { dataType });
    }
  }
  return undefined;
}

function writeConstants(
  planned: PlannedNode,
  weights: WeightWriter,
  parameters: ReadonlyMap<Value, QuantizationParameters>,
): void {
  const { node, recipe, operator } = planned;
  const ofInput = (index: number) => {
    const value = node.input(index);
    return value === undefined ? undefined : (parameters.get(value) ?? existingParameters(value));
  };
  const is8Bit = operator.data.every((index) => ofInput(index)?.dataType.endsWith('int8') ?? true);
  if (is8Bit && operator.isFused) {
    for (const index of operator.data) weights.replaceConstant(node, index, recipe);
  }
  const { linear } = operator;
  const [inputScale = 1] = ofInput(0)?.scale ?? [];
  if (linear === undefined) return;
  if (linear.weight !== undefined) weights.replaceWeight(planned, linear, is8Bit, inputScale);
  else weights.replaceBias(node, linear.bias, is8Bit, inputScale, ofInput(1)?.scale ?? [1]);
}

/** Outer graphs first, nodes as they stand: what is written once is written for the first of its readers. */
function inGraphOrder(
  assignments: readonly Assignment<StaticRecipe>[],
  { model }: SchemeContext,
): Assignment<StaticRecipe>[] {
  const byNode = new Map(assignments.map((assignment) => [assignment.node, assignment]));
  const ordered: Assignment<StaticRecipe>[] = [];
  forEachGraph(model.graph, (graph: Graph) => {
    for (const node of graph.nodes) {
      const assignment = byNode.get(node);
      if (assignment !== undefined) ordered.push(assignment);
    }
  });
  return ordered;
}

function nameOf(node: Node): string {
  return node.outputs.find((value) => value !== undefined)?.name ?? node.describe();
}
