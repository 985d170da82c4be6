/** Which values of a graph are to be quantized, for whom, and where the parameters of each come from. */
import type { QuantizationParameters, StaticRecipe } from '../../../../artifact/recipe.js';
import type { Node } from '../../../ir/node.js';
import type { Value } from '../../../ir/value.js';
import { constantBehind } from '../../../passes/inferred-type.js';
import type { Assignment } from '../../scheme.js';
import { existingParameters, isQuantizedAlready, isReadQuantized } from './existing-quantization.js';
import { type Operator, operatorOf } from './operators.js';
import { standInOf } from './stand-ins.js';

export interface PlannedNode {
  readonly node: Node;
  readonly recipe: StaticRecipe;
  readonly operator: Operator;
}

export type Source =
  /** A range that calibration records. */
  | { readonly kind: 'recorded' }
  /** The parameters of another value. */
  | { readonly kind: 'shared'; readonly with: Value }
  /** From 0 to 1. */
  | { readonly kind: 'unit' }
  /** The file has it quantized. */
  | { readonly kind: 'existing'; readonly parameters: QuantizationParameters };

export class Layout {
  /** In the order of the assignments. */
  readonly nodes: ReadonlyMap<Node, PlannedNode>;
  /** Nodes that are left alone, and why. */
  readonly declined: readonly { readonly node: Node; readonly reason: string }[];
  /** Values that get a QuantizeLinear, with whether their producer hands on nothing else. */
  readonly values: ReadonlyMap<Value, { readonly isOutput: boolean }>;

  constructor(assignments: readonly Assignment<StaticRecipe>[]) {
    const nodes = new Map<Node, PlannedNode>();
    const declined: { node: Node; reason: string }[] = [];
    for (const { node, recipe } of assignments) {
      const operator = refusalOrOperator(node, recipe);
      if (typeof operator === 'string') declined.push({ node, reason: operator });
      else nodes.set(node, { node, recipe, operator });
    }
    for (const { node, operator } of removeIdle(nodes)) {
      const what = operator.follows === 'input' ? 'what it reads is not quantized' : 'nothing next to it is quantized';
      declined.push({ node, reason: `${node.describe()} follows others, and ${what}` });
    }
    this.nodes = nodes;
    this.declined = declined;
    this.values = quantizedValues(nodes);
  }

  /** Whether a planned node computes the value. */
  producerOf(value: Value): PlannedNode | undefined {
    return value.producer === undefined ? undefined : this.nodes.get(value.producer);
  }

  sourceOf(value: Value): Source {
    const parameters = existingParameters(value);
    if (parameters !== undefined) return { kind: 'existing', parameters };
    const producer = this.producerOf(value);
    const first = producer?.operator.output === 'shared' ? producer.node.input(0) : undefined;
    if (first !== undefined) return { kind: 'shared', with: first };
    if (producer?.operator.output === 'unit') return { kind: 'unit' };
    const clamp = this.clampOf(value);
    return clamp === undefined ? { kind: 'recorded' } : { kind: 'shared', with: clamp.node.output() };
  }

  /** The planned Relu or Clip that alone reads a value. */
  clampOf(value: Value): PlannedNode | undefined {
    const consumer = value.soleConsumer;
    const planned = consumer === undefined ? undefined : this.nodes.get(consumer);
    return planned?.operator.output === 'clamped' && consumer?.input(0) === value ? planned : undefined;
  }

  /** Values whose ranges are to be recorded, and their stand-ins, in the order of the nodes that read them. */
  recorded(): Value[] {
    const recorded = new Set<Value>();
    for (const value of this.values.keys()) {
      let origin: Value | undefined = this.originOf(value);
      if (this.sourceOf(origin).kind !== 'recorded') continue;
      for (; origin !== undefined && existingParameters(origin) === undefined; origin = standInOf(origin)) {
        recorded.add(origin);
      }
    }
    return [...recorded];
  }

  /** The recipe of a node that returns or reads a value. */
  recipeAt(value: Value): StaticRecipe | undefined {
    const planned = [value.producer, ...value.consumers].map((node) => node && this.nodes.get(node));
    return planned.find((node) => node !== undefined)?.recipe;
  }

  /** The value that another shares its parameters with, in the end. */
  originOf(value: Value): Value {
    let origin = value;
    for (let source = this.sourceOf(origin); source.kind === 'shared'; source = this.sourceOf(origin)) {
      origin = source.with;
    }
    return origin;
  }
}

/** What the node is to static quantization, or why it stays in float32. */
export function refusalOrOperator(node: Node, recipe: StaticRecipe): Operator | string {
  return isQuantizedAlready(node) ? `${node.describe()} is quantized already` : operatorOf(node, recipe);
}

/** Takes out the nodes that are quantized only in company and have none that is quantized by itself. */
function removeIdle(nodes: Map<Node, PlannedNode>): PlannedNode[] {
  const working = new Set<Node>();
  const isReadAsData = (value: Value | undefined) =>
    value?.consumers.some(
      (consumer) =>
        working.has(consumer) &&
        nodes.get(consumer)?.operator.data.some((index) => consumer.input(index) === value) === true,
    );
  const isQuantized = (value: Value | undefined) => {
    if (value === undefined) return false;
    const producer = value.producer === undefined ? undefined : nodes.get(value.producer);
    // What is computed in float32 is quantized for its readers only.
    const isComputed = producer?.operator.output === 'own' && !producer.operator.isFused;
    if (producer !== undefined && working.has(producer.node) && !isComputed) return true;
    return isReadAsData(value) || existingParameters(value) !== undefined;
  };
  const isWorth = ({ node, operator }: PlannedNode) => {
    if (operator.follows === 'nothing') return true;
    const data = operator.data.length > 0 ? operator.data : [0];
    if (data.some((index) => isQuantized(node.input(index)))) return true;
    return operator.follows === 'neighbour' && node.outputs.some((value) => isReadAsData(value));
  };
  for (let size = -1; size !== working.size; ) {
    size = working.size;
    for (const planned of nodes.values()) {
      if (!working.has(planned.node) && isWorth(planned)) working.add(planned.node);
    }
  }
  const idle = [...nodes.values()].filter(({ node }) => !working.has(node));
  for (const { node } of idle) nodes.delete(node);
  return idle;
}

function quantizedValues(nodes: ReadonlyMap<Node, PlannedNode>): Map<Value, { isOutput: boolean }> {
  const read = new Set<Value>();
  for (const { node, operator } of nodes.values()) {
    for (const index of operator.data) {
      const value = node.input(index);
      if (value !== undefined && constantBehind(node, index) === undefined) read.add(value);
    }
  }
  const values = new Map<Value, { isOutput: boolean }>();
  for (const value of read) {
    if (existingParameters(value) === undefined) values.set(value, { isOutput: false });
  }
  for (const { node, operator } of nodes.values()) {
    for (const value of node.outputs) {
      if (value === undefined || isReadQuantized(value)) continue;
      if (read.has(value) || operator.quantizesOutput === 'always') values.set(value, { isOutput: true });
    }
  }
  return values;
}
