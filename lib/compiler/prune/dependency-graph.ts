/**
 * Which index of which axis of which weight can only be removed together with which others. Labels are carried through the graph in
 * topological order: linear operators make units for their output channels, rules join and pass them on, and what no rule knows keeps
 * them in the graph, with the reason.
 */
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { dependenciesOf } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { isReadInSubgraph } from '../passes/unshare-constants.js';
import { CONTRIB_RULES, ELEMENTWISE_RULES } from './rules/elementwise.js';
import { INDEXING_RULES } from './rules/indexing.js';
import { LINEAR_RULES } from './rules/linear.js';
import { MOVEMENT_RULES } from './rules/movement.js';
import { NORMALIZATION_RULES } from './rules/normalization.js';
import { RESHAPE_RULES } from './rules/reshape.js';
import type { ElementEdit, Labels, Role, Rule, RuleScope, WeightUse } from './rules/rule.js';
import { SPATIAL_RULES } from './rules/spatial.js';
import { Units } from './units.js';

const RULES: Readonly<Record<string, Rule>> = {
  ...ELEMENTWISE_RULES,
  ...INDEXING_RULES,
  ...LINEAR_RULES,
  ...MOVEMENT_RULES,
  ...NORMALIZATION_RULES,
  ...RESHAPE_RULES,
  ...SPATIAL_RULES,
};

/** Operators that make labels where none come in. */
const MAKERS = new Set(['ConstantOfShape', 'Conv', 'ConvTranspose', 'Gather', 'Gemm', 'MatMul']);

/** Rules are those of this version of the standard operators and later ones. */
const MINIMUM_OPSET = 13;

export interface IntegerReplacement {
  readonly value: Value;
  readonly compute: (stays: (id: number) => boolean) => readonly number[];
}

export interface DependencyGraph {
  readonly units: Units;
  /** Only values with a labelled axis. */
  readonly labels: ReadonlyMap<Value, Labels>;
  readonly uses: readonly WeightUse[];
  readonly edits: readonly ElementEdit[];
  readonly replacements: readonly IntegerReplacement[];
}

/**
 * @param model normalized, with `unshareConstants` and the types of its values inferred; only its main graph is looked at, and what graphs
 * inside it read stays whole
 */
export function dependencyGraph(model: Model): DependencyGraph {
  const builder = new Builder(model.graph);
  for (const value of model.graph.inputs) if (value.initializer !== undefined) builder.overridable.add(value);
  for (const node of model.graph.nodes) builder.visit(node, model.opset);
  builder.finish();
  return builder;
}

class Builder implements DependencyGraph, RuleScope {
  readonly units = new Units();
  readonly labels = new Map<Value, Labels>();
  readonly uses: WeightUse[] = [];
  readonly edits: ElementEdit[] = [];
  readonly replacements: IntegerReplacement[] = [];
  readonly overridable = new Set<Value>();
  readonly #graph: Graph;
  readonly #positions: ReadonlyMap<Node, number>;
  /** By constant and axis, the inputs of nodes that a use accounts for. */
  readonly #accounted = new Map<Value, Map<number, { ids: Int32Array; inputs: Set<string> }>>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#positions = new Map(graph.nodes.map((node, index) => [node, index]));
  }

  visit(node: Node, opset: number): void {
    const labelled = [...dependenciesOf(node)].some((value) => this.labels.has(value));
    const rule = ruleFor(node, opset);
    if (!labelled && !MAKERS.has(node.opType)) return;
    if (rule !== undefined) rule(node, this);
    else if (labelled) this.block(node, 'pruning does not know the operator');
  }

  labelsOf(value: Value | undefined): Labels | undefined {
    return value === undefined ? undefined : this.labels.get(value);
  }

  setLabels(value: Value | undefined, labels: Labels): void {
    if (value === undefined || labels.every((ids) => ids === undefined)) return;
    this.labels.set(value, labels);
  }

  use(node: Node, input: number, axis: number, ids: Int32Array, role: Role): void {
    const value = node.input(input);
    const size = value?.initializer?.dims[axis];
    if (value === undefined || size !== ids.length) {
      this.units.block(ids, `'${value?.name}' has another size than ${node.describe()} needs`);
      return;
    }
    this.uses.push({ value, axis, ids, role, node });
    const axes = this.#accounted.get(value) ?? new Map<number, { ids: Int32Array; inputs: Set<string> }>();
    this.#accounted.set(value, axes);
    const entry = axes.get(axis) ?? { ids, inputs: new Set<string>() };
    axes.set(axis, entry);
    entry.inputs.add(`${this.#positions.get(node)} ${input}`);
    // A constant that several nodes share has one size: what they tie to it is tied.
    for (let index = 0; index < size; index++) this.units.join(ids[index] ?? 0, entry.ids[index] ?? 0);
  }

  edit(edit: ElementEdit): string | undefined {
    const obstacle = this.#obstacleToEdit(edit.value);
    if (obstacle === undefined) this.edits.push(edit);
    return obstacle;
  }

  replaceIntegers(value: Value, compute: IntegerReplacement['compute']): string | undefined {
    const obstacle = this.#obstacleToEdit(value);
    if (obstacle === undefined) this.replacements.push({ value, compute });
    return obstacle;
  }

  #obstacleToEdit(value: Value): string | undefined {
    if (value.initializer === undefined || value.uses.size !== 1 || this.overridable.has(value)) {
      return `'${value.name}' serves more than one reader and cannot change`;
    }
    const { elementType } = value.initializer;
    return elementType === 'int64' || elementType === 'int32' ? undefined : `'${value.name}' is ${elementType}`;
  }

  block(node: Node, why: string): void {
    for (const value of dependenciesOf(node)) {
      for (const ids of this.labels.get(value) ?? []) {
        if (ids !== undefined) this.units.block(ids, `${node.describe()}: ${why}`);
      }
    }
  }

  /** Keeps what the signature shows, and constants that somebody reads without having tied them. */
  finish(): void {
    for (const value of this.#graph.outputs) {
      for (const ids of this.labels.get(value) ?? []) {
        if (ids !== undefined) this.units.block(ids, `'${value.name}' is an output of the model`);
      }
    }
    for (const [value, axes] of this.#accounted) {
      for (const { ids, inputs } of axes.values()) {
        if (this.overridable.has(value)) this.units.block(ids, `'${value.name}' is an input of the model`);
        else if (inputs.size < value.uses.size || isReadInSubgraph(value) || value.isGraphOutput) {
          this.units.block(ids, `'${value.name}' serves others too`);
        }
      }
    }
  }
}

function ruleFor(node: Node, opset: number): Rule | undefined {
  if (node.domain === 'com.microsoft')
    return Object.hasOwn(CONTRIB_RULES, node.opType) ? CONTRIB_RULES[node.opType] : undefined;
  if (node.domain !== '' || opset < MINIMUM_OPSET) return undefined;
  return Object.hasOwn(RULES, node.opType) ? RULES[node.opType] : undefined;
}
