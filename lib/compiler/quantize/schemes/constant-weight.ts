/** Constant float32 weights as schemes find them, and what schemes make of them, each written once. */
import type { Recipe } from '../../../artifact/recipe.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import { nodesOf } from '../../ir/traversal.js';
import type { Value } from '../../ir/value.js';
import { allowConstants } from '../../passes/allow-constants.js';
import { constantTensor } from '../../passes/constants-to-initializers.js';
import { isFiniteTensor } from '../parameters/channels.js';
import type { Assignment, SchemeRewrite } from '../scheme.js';

export interface ConstantWeight {
  /** What the node reads: an initializer, or the output of a Constant. */
  readonly value: Value;
  /** float32, finite, not empty. */
  readonly tensor: Tensor;
  /** The graph that it stands in: the node's, or one around it. */
  readonly graph: Graph;
}

export interface Declined {
  /** The node's first output. */
  readonly node: string;
  readonly reason: string;
}

/** Input `index` of a node where it is a constant that integers can stand for. A string says why it is none. */
export function weightOf(node: Node, index: number): ConstantWeight | string {
  const value = node.input(index);
  if (value === undefined) return `${node.describe()} has no input ${index}`;
  const { producer } = value;
  const tensor = producer?.is('Constant') ? constantTensor(producer) : node.constantInput(index);
  if (tensor === undefined) return `'${value.name}' is not constant`;
  if (tensor.elementType !== 'float32') return `'${value.name}' is ${tensor.elementType}`;
  if (tensor.count === 0) return `'${value.name}' is empty`;
  if (!isKnownFinite(tensor)) return `'${value.name}' holds infinity or NaN`;
  const graph = producer?.graph ?? graphOf(value, node);
  return graph === undefined ? `'${value.name}' stands in no graph` : { value, tensor, graph };
}

function graphOf(value: Value, node: Node): Graph | undefined {
  for (let scope = node.graph; scope !== undefined; scope = scope.parent?.graph) {
    if (scope.initializers.has(value)) return scope;
  }
  return undefined;
}

/** Searches ask again and again, and some weights are read from disk each time. */
const FINITE = new WeakMap<Tensor, boolean>();

function isKnownFinite(tensor: Tensor): boolean {
  const known = FINITE.get(tensor) ?? isFiniteTensor(tensor);
  FINITE.set(tensor, known);
  return known;
}

/** What is made of constants during one rewrite: asked for again, it is the same. */
export class Derived<T> {
  readonly #made = new Map<unknown, Map<string, T>>();

  /** @param key what else the result depends on, besides `of` */
  get(of: unknown, key: string, make: () => T): T {
    const variants = this.#made.get(of) ?? new Map<string, T>();
    this.#made.set(of, variants);
    const known = variants.get(key);
    if (known !== undefined) return known;
    const made = make();
    variants.set(key, made);
    return made;
  }
}

/** Drops what nobody reads any more. */
export function releaseWeights(weights: Iterable<ConstantWeight>): void {
  for (const { value, graph } of weights) {
    if (value.uses.size > 0 || graph.hasInput(value)) continue;
    if (value.producer === undefined) graph.initializers.delete(value);
    else if (value.producer.graph === graph) graph.remove(value.producer);
  }
}

/** Gives what is restored the name of a constant that nobody reads any more: names are long, and written again and again. */
export function takeName({ value }: ConstantWeight, restored: Value): void {
  if (value.uses.size === 0) restored.name = value.name;
}

/** Puts nodes that depend on constants alone in front of all others. */
export function prepend(graph: Graph, nodes: readonly Node[]): void {
  const [first] = graph.nodes;
  if (first === undefined) graph.append(...nodes);
  else graph.insertBefore(first, ...nodes);
}

export function nameOf(node: Node): string {
  return node.outputs.find((value) => value !== undefined)?.name ?? node.name;
}

/** Assignments in the order of the graph, without those that the scheme refuses and those inside of functions, which hold no initializers. */
export function acceptedBy<R extends Recipe>(
  scheme: Pick<SchemeRewrite<R>, 'refusal'>,
  assignments: readonly Assignment<R>[],
  model: Model,
): { readonly accepted: readonly Assignment<R>[]; readonly declined: Declined[] } {
  const position = new Map<Node, number>();
  for (const node of nodesOf(model)) position.set(node, position.size);
  const declined: Declined[] = [];
  const accepted = assignments.filter(({ node, recipe }) => {
    const reason = isInFunction(node, model)
      ? `${node.describe()} stands in a function; inline it first`
      : scheme.refusal(node, recipe);
    if (reason !== undefined) declined.push({ node: nameOf(node), reason });
    return reason === undefined;
  });
  // What schemes write are initializers that no caller passes.
  if (accepted.length > 0) allowConstants(model);
  accepted.sort((a, b) => (position.get(a.node) ?? 0) - (position.get(b.node) ?? 0));
  return { accepted, declined };
}

function isInFunction(node: Node, model: Model): boolean {
  let graph = node.graph;
  while (graph?.parent !== undefined) graph = graph.parent.graph;
  return graph !== model.graph;
}
