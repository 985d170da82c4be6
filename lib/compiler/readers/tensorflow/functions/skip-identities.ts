/** What is left of calls, and controls, taken out: a graph whose edges are values. */
import type { FunctionDef, GraphDef, NodeDef } from '../../../formats/tensorflow/graph-def.js';
import { IDENTITIES, reachable } from './expand-calls.js';
import { withInvariants } from './loop-invariants.js';
import { isControl, nodeOf, parseReference } from './references.js';

/** Operators that pass their inputs on, output by output. */
const PASSING = new Set([IDENTITIES, 'Identity', 'ReadVariableOp']);

/**
 * Lets every node read past identities, drops controls, and keeps what `roots` depend on; roots stay, identities or not. Variables must have
 * become constants, which ReadVariableOp passes on.
 * @param roots names of nodes; default all that nothing reads
 */
export function skipIdentities(graph: GraphDef, roots?: readonly string[]): GraphDef {
  const functions = new Map<string, FunctionDef>();
  for (const [name, body] of graph.functions) {
    const sources = sourcesOf(body.nodes);
    const returns = new Map([...body.returns].map(([output, value]) => [output, sources(value)]));
    const nodes = withoutIdentities(body.nodes, sources, [...returns.values()].map(nodeOf));
    functions.set(name, { ...body, nodes, returns, controlReturns: [] });
  }
  for (const [name, body] of functions) functions.set(name, { ...body, nodes: withInvariants(body.nodes, functions) });
  const nodes = withoutIdentities(graph.nodes, sourcesOf(graph.nodes), roots ?? unread(graph.nodes));
  return { nodes: withInvariants(nodes, functions), functions };
}

function unread(nodes: readonly NodeDef[]): string[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs.map(nodeOf)));
  return nodes.filter(({ name }) => !read.has(name)).map(({ name }) => name);
}

function withoutIdentities(
  nodes: readonly NodeDef[],
  source: (input: string) => string,
  roots: readonly string[],
): NodeDef[] {
  const direct = nodes.map((node) => ({
    ...node,
    inputs: node.inputs.filter((input) => !isControl(input)).map(source),
  }));
  return reachable(direct, roots);
}

/** Follows an input through identities to where its value is made. */
export function sourcesOf(nodes: readonly NodeDef[]): (input: string) => string {
  const passing = new Map(nodes.filter(({ op }) => PASSING.has(op)).map((node) => [node.name, node]));
  const known = new Map<string, string>();
  return (input) => {
    const way: string[] = [];
    let at = input;
    // A cycle of identities is met again, and left as it is for whoever looks for cycles.
    while (!known.has(at) && way.length <= passing.size) {
      const { node, index } = parseReference(at);
      const next = passing.get(node)?.inputs[index];
      if (next === undefined || isControl(next)) break;
      way.push(at);
      at = next;
    }
    const end = known.get(at) ?? at;
    for (const step of way) known.set(step, end);
    return end;
  };
}
