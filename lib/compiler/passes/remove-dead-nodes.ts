/** What no output of the model depends on is taken out: nodes, initializers, functions that nobody calls. */
import type { Graph } from '../ir/graph.js';
import type { Model, ModelFunction } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { graphsOf } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import type { ImmediatePass } from './pass.js';

/** Inputs stay whether or not they are used: they are the model's signature. */
export function removeDeadNodes(): ImmediatePass {
  return {
    name: 'remove-dead-nodes',
    run(model) {
      const before = model.functions.length;
      const { nodes, functions } = reachable(model);
      let modified = false;
      model.functions = model.functions.filter((candidate) => functions.has(candidate));
      // Inner graphs first: their dead nodes may be the last to use a dead node outside.
      for (const graph of graphsOf(model).reverse()) {
        if (isLive(graph, nodes)) modified = sweep(graph, nodes) || modified;
      }
      return { modified: modified || model.functions.length < before };
    },
  };
}

/** Every node that an output depends on, and every function that one of them calls. */
function reachable(model: Model): {
  readonly nodes: ReadonlySet<Node>;
  readonly functions: ReadonlySet<ModelFunction>;
} {
  const nodes = new Set<Node>();
  const functions = new Set<ModelFunction>();
  // An explicit stack: graphs are deeper than the call stack.
  const pending: Value[] = [...model.graph.outputs];
  const byKey = new Map(
    model.functions.map((candidate) => [keyOf(candidate.domain, candidate.name, candidate.overload), candidate]),
  );
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    const node = value.producer;
    if (node === undefined || nodes.has(node)) continue;
    nodes.add(node);
    for (const input of node.inputs) if (input !== undefined) pending.push(input);
    for (const [, subgraph] of node.subgraphs()) pending.push(...subgraph.outputs);
    const called = byKey.get(keyOf(node.domain, node.opType, node.overload));
    if (called === undefined || functions.has(called)) continue;
    functions.add(called);
    pending.push(...called.body.outputs);
  }
  return { nodes, functions };
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain, name, overload]);
}

/** Whether the nodes around a graph stay; the graphs of one that goes are released with it. */
function isLive(graph: Graph, live: ReadonlySet<Node>): boolean {
  for (let node = graph.parent; node !== undefined; node = node.graph?.parent) if (!live.has(node)) return false;
  return true;
}

function sweep(graph: Graph, live: ReadonlySet<Node>): boolean {
  const dead = graph.nodes.filter((node) => !live.has(node));
  if (dead.length > 0) graph.remove(...dead);
  let modified = dead.length > 0;
  for (const constants of [graph.initializers, graph.sparseInitializers]) {
    for (const value of constants.keys()) {
      if (value.uses.size > 0 || graph.hasInput(value)) continue;
      constants.delete(value);
      modified = true;
    }
  }
  return modified;
}
