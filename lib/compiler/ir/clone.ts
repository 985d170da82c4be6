/** Copies of nodes and of the graphs inside them, for inlining what is used more than once. */
import type { Attribute } from './attribute.js';
import { Graph } from './graph.js';
import { Node } from './node.js';
import { Value } from './value.js';

export interface CloneContext {
  /** What stands for a value in the copy; a value that is not here is used as it is. The copies' own values are added. */
  readonly values: Map<Value, Value | undefined>;
  /** The name of a copied value. */
  readonly rename: (name: string) => string;
  /** What an attribute becomes; undefined leaves it out. Default: itself. Graphs in attributes are copied by themselves. */
  readonly attribute?: (name: string, attribute: Attribute) => Attribute | undefined;
}

/** Copies nodes, which must be in topological order. The copies stand in no graph yet. */
export function cloneNodes(nodes: readonly Node[], context: CloneContext): Node[] {
  return nodes.map((node) => cloneNode(node, context));
}

function cloneNode(node: Node, context: CloneContext): Node {
  const inputs = node.inputs.map((value) => substitute(value, context));
  const attributes = new Map<string, Attribute>();
  for (const [name, before] of node.attributes) {
    const attribute = context.attribute === undefined ? before : context.attribute(name, before);
    if (attribute === undefined) continue;
    if (attribute.kind === 'graph')
      attributes.set(name, { kind: 'graph', value: cloneGraph(attribute.value, context) });
    else if (attribute.kind === 'graphs') {
      attributes.set(name, { kind: 'graphs', value: attribute.value.map((graph) => cloneGraph(graph, context)) });
    } else attributes.set(name, attribute);
  }
  const outputs = node.outputs.map((value) => (value === undefined ? undefined : define(value, context)));
  const { domain, overload, name, origin } = node;
  return new Node(node.opType, inputs, outputs, {
    domain,
    overload,
    name,
    attributes,
    ...(origin === undefined ? {} : { origin }),
  });
}

function cloneGraph(graph: Graph, context: CloneContext): Graph {
  const copy = new Graph(graph.name, graph.origin);
  // One graph may be copied twice, as the attribute of a call that two nodes refer to: each copy has values of its own.
  const own = new Set<Value>([...graph.inputs, ...graph.initializers, ...graph.sparseInitializers.keys()]);
  for (const node of graph.nodes) for (const value of node.outputs) if (value !== undefined) own.add(value);
  for (const value of own) context.values.delete(value);
  copy.setInputs(graph.inputs.map((value) => define(value, context)));
  for (const value of graph.initializers) copy.initializers.add(define(value, context));
  for (const [value, sparse] of graph.sparseInitializers) copy.sparseInitializers.set(define(value, context), sparse);
  for (const node of graph.nodes) copy.append(cloneNode(node, context));
  copy.setOutputs(graph.outputs.map((value) => substitute(value, context) ?? value));
  return copy;
}

function substitute(value: Value | undefined, context: CloneContext): Value | undefined {
  return value !== undefined && context.values.has(value) ? context.values.get(value) : value;
}

function define(value: Value, context: CloneContext): Value {
  // An output that the caller chose a value for keeps that one.
  const chosen = context.values.get(value);
  if (chosen !== undefined) return chosen;
  const copy = new Value(context.rename(value.name), value.type);
  copy.origin = value.origin;
  copy.initializer = value.initializer;
  context.values.set(value, copy);
  return copy;
}
