/** What makes a graph well formed, whoever runs it. */
import type { Graph } from '../graph.js';
import type { Model, ModelFunction } from '../model.js';
import type { Node } from '../node.js';
import { dependenciesOf, forEachGraph } from '../traversal.js';
import type { Value } from '../value.js';
import { findCycle } from './cycle.js';
import type { Problem } from './problem.js';

/** More say nothing new, and a hostile file could make millions. */
const MAXIMUM_PROBLEMS = 1000;

const EXPORT_AGAIN = 'The file is damaged or was written by a faulty exporter. Export the model again.';

export function structureProblems(model: Model): Problem[] {
  const problems = new ProblemList();
  if (model.graph.outputs.length === 0) {
    problems.add('GRAPH_WITHOUT_OUTPUTS', 'The graph has no outputs.');
  }
  checkFunctions(model, problems);
  checkNodes(model, problems);
  checkGraph(model.graph, undefined, problems);
  for (const fn of model.functions) checkGraph(fn.body, undefined, problems);
  return problems.list;
}

class ProblemList {
  readonly list: Problem[] = [];

  add(code: string, message: string, advice = EXPORT_AGAIN): void {
    if (this.list.length < MAXIMUM_PROBLEMS) this.list.push({ code, message, advice });
  }
}

/** The names that a node may use: those of its graph defined so far, and those of the graphs around it. */
class VisibleNames {
  readonly #outer: VisibleNames | undefined;
  readonly #defined = new Map<string, Value>();
  /** Everything that the graph defines at some point. */
  readonly #all: ReadonlySet<Value>;
  /** Reports of uses of this graph's values, here or in subgraphs, before their definition. */
  readonly early: (() => void)[] = [];

  constructor(outer: VisibleNames | undefined, all: ReadonlySet<Value>) {
    this.#outer = outer;
    this.#all = all;
  }

  /** False if the graph has the name already. */
  define(value: Value): boolean {
    if (this.#defined.has(value.name)) return false;
    this.#defined.set(value.name, value);
    return true;
  }

  find(name: string): Value | undefined {
    return this.#defined.get(name) ?? this.#outer?.find(name);
  }

  /** The names of the graph that defines a value at some point, this one or one around it. */
  ownerOf(value: Value): VisibleNames | undefined {
    return this.#all.has(value) ? this : this.#outer?.ownerOf(value);
  }
}

function checkGraph(graph: Graph, outer: VisibleNames | undefined, problems: ProblemList): void {
  const where = `graph '${graph.name}'`;
  const names = new VisibleNames(outer, definitionsOf(graph));
  const define = (value: Value, what: string) => {
    if (value.name === '') problems.add('VALUE_UNNAMED', `${what} of ${where} has no name.`);
    else if (!names.define(value)) {
      problems.add(
        'VALUE_DUPLICATE',
        `The name '${value.name}' is defined more than once in ${where}: by ${what} too.`,
      );
    }
  };
  for (const value of graph.inputs) define(value, 'an input');
  for (const value of graph.initializers) if (!graph.hasInput(value)) define(value, 'an initializer');
  for (const value of graph.sparseInitializers.keys()) define(value, 'a sparse initializer');
  for (const node of graph.nodes) {
    for (const [index, value] of node.inputs.entries()) {
      if (value !== undefined) checkUse(value, `input ${index} of ${node.describe()}`);
    }
    for (const [, subgraph] of node.subgraphs()) checkGraph(subgraph, names, problems);
    for (const value of node.outputs) if (value !== undefined) define(value, node.describe());
  }
  for (const [index, value] of graph.outputs.entries()) {
    if (value.name === '') problems.add('VALUE_UNNAMED', `Output ${index} of ${where} has no name.`);
    else checkUse(value, `output ${index} of ${where}`);
  }
  if (names.early.length === 0) return;
  const cycle = cycleOf(graph);
  if (cycle.length === 0) for (const report of names.early) report();
  else {
    const way = cycle.slice(0, 5).map((node) => node.describe());
    const rest = cycle.length > 5 ? ` and ${cycle.length - 5} more` : '';
    problems.add('GRAPH_CYCLE', `The nodes of ${where} form a cycle: ${way.join(' → ')}${rest}.`);
  }

  function checkUse(value: Value, what: string): void {
    const found = names.find(value.name);
    if (found === value) return;
    const owner = names.ownerOf(value);
    if (owner === undefined) {
      // `found` is then another value of that name, which a file would take for this one.
      problems.add('VALUE_UNDEFINED', `'${value.name}', ${what}, is defined nowhere.`);
    } else if (found !== undefined) {
      problems.add(
        'VALUE_SHADOWED',
        `'${value.name}', ${what}, means a value that another of the same name hides.`,
        'Give the two values different names.',
      );
    } else {
      owner.early.push(() =>
        problems.add(
          'VALUE_BEFORE_DEFINITION',
          `'${value.name}', ${what}, is used before ${value.producer?.describe() ?? 'its node'} computes it.`,
          'ONNX wants nodes in topological order: sort the graph, or export it again.',
        ),
      );
    }
  }
}

function definitionsOf(graph: Graph): Set<Value> {
  const values = new Set<Value>([...graph.inputs, ...graph.initializers, ...graph.sparseInitializers.keys()]);
  for (const node of graph.nodes) for (const value of node.outputs) if (value !== undefined) values.add(value);
  return values;
}

/** The nodes of one cycle of a graph, in the direction of its data; empty if there is none. */
function cycleOf(graph: Graph): Node[] {
  return findCycle(graph.nodes, (node) => {
    const producers = new Set<Node>();
    for (const { producer } of dependenciesOf(node)) if (producer?.graph === graph) producers.add(producer);
    return producers;
  }).reverse();
}

function checkNodes(model: Model, problems: ProblemList): void {
  const missing = new Set<string>();
  const check = (nodes: Iterable<Node>, imports: ReadonlyMap<string, number>, owner: ModelFunction | undefined) => {
    for (const node of nodes) {
      if (node.opType === '') problems.add('NODE_WITHOUT_OPERATOR', `${node.describe()} names no operator.`);
      checkReferences(node, owner, problems);
      const { domain } = node;
      const key = `${owner?.domain ?? ''} ${owner?.name ?? ''} ${domain}`;
      if (imports.has(domain) || missing.has(key)) continue;
      missing.add(key);
      const of = owner === undefined ? 'The model' : `Function '${owner.name}'`;
      problems.add(
        'OPSET_MISSING',
        `${of} imports no opset of domain '${domain || 'ai.onnx'}', which ${node.describe()} belongs to.`,
      );
    }
  };
  check(nodesOfGraph(model.graph), model.opsetImports, undefined);
  for (const fn of model.functions) check(nodesOfGraph(fn.body), fn.opsetImports, fn);
}

function nodesOfGraph(graph: Graph): Node[] {
  const nodes: Node[] = [];
  forEachGraph(graph, (inner) => {
    for (const node of inner.nodes) nodes.push(node);
  });
  return nodes;
}

/** Only a function's body may refer to attributes, and only to those of the function. */
function checkReferences(node: Node, owner: ModelFunction | undefined, problems: ProblemList): void {
  for (const [name, attribute] of node.attributes) {
    if (attribute.kind !== 'reference') continue;
    const { origin } = owner ?? {};
    const known =
      owner !== undefined &&
      (origin === undefined ||
        origin.attribute.includes(attribute.value) ||
        origin.attributeProto.some((each) => each.name === attribute.value));
    if (known) continue;
    const of = owner === undefined ? 'no function around it' : `function '${owner.name}', which has no such attribute`;
    problems.add(
      'ATTRIBUTE_REFERENCE',
      `Attribute '${name}' of ${node.describe()} refers to attribute '${attribute.value}' of ${of}.`,
    );
  }
}

function checkFunctions(model: Model, problems: ProblemList): void {
  const byKey = new Map<string, ModelFunction>();
  const keyOf = (domain: string, name: string, overload: string) => JSON.stringify([domain, name, overload]);
  for (const fn of model.functions) {
    const key = keyOf(fn.domain, fn.name, fn.overload);
    if (byKey.has(key))
      problems.add('FUNCTION_DUPLICATE', `Function '${fn.name}' of domain '${fn.domain}' is defined twice.`);
    byKey.set(key, fn);
  }
  if (byKey.size === 0) return;
  const calls = new Map<ModelFunction, Set<ModelFunction>>();
  for (const fn of byKey.values()) {
    const called = new Set<ModelFunction>();
    for (const node of nodesOfGraph(fn.body)) {
      const callee = byKey.get(keyOf(node.domain, node.opType, node.overload));
      if (callee !== undefined) called.add(callee);
    }
    calls.set(fn, called);
  }
  const [recursive] = findCycle([...calls.keys()], (fn) => calls.get(fn) ?? []);
  if (recursive !== undefined) {
    problems.add(
      'FUNCTION_RECURSION',
      `Function '${recursive.name}' of domain '${recursive.domain}' calls itself, directly or through others.`,
    );
  }
}
