/** Calls of model-local functions give way to copies of their bodies. */
import { GraphError } from '../../errors.js';
import type { Attribute } from '../ir/attribute.js';
import { cloneNodes } from '../ir/clone.js';
import type { Graph } from '../ir/graph.js';
import type { Model, ModelFunction } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { forEachGraph, sortTopologically } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { changesIn } from './opset/operator-versions.js';
import type { ImmediatePass } from './pass.js';

/** Calls inside calls that are followed. */
const MAXIMUM_DEPTH = 64;
/** Nodes that all copies together may have: a few functions that call each other twice would fill any memory. */
const MAXIMUM_NODES = 200_000;
/** The newest version of the standard operators whose changes are known. */
const NEWEST_OPSET = 21;

/**
 * Functions written against another version of an operator set are declined, unless none of their operators changed between the two.
 * The pass throws GraphError FUNCTION_RECURSION or FUNCTION_EXPANSION for functions that cannot be inlined at all.
 */
export function inlineFunctions(): ImmediatePass {
  return {
    name: 'inline-functions',
    run(model) {
      if (model.functions.length === 0) return { modified: false };
      const inlining = new Inlining(model);
      inlining.inlineIn(model.graph, []);
      return { modified: inlining.copied > 0 || inlining.replaced > 0, declined: [...inlining.declined] };
    },
  };
}

class Inlining {
  readonly #model: Model;
  readonly declined = new Set<string>();
  copied = 0;
  replaced = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Rewrites a graph and those inside it. `chain`: the functions whose bodies this is part of. */
  inlineIn(graph: Graph, chain: readonly ModelFunction[]): void {
    const before = graph.nodes;
    graph.nodes = [];
    const nodes = this.#inlineNodes(before, graph, chain);
    for (const node of nodes) graph.append(node);
  }

  #inlineNodes(nodes: readonly Node[], graph: Graph, chain: readonly ModelFunction[]): Node[] {
    const result: Node[] = [];
    for (const node of nodes) {
      const called = this.#model.functionFor(node);
      if (called === undefined || !this.#accepts(called)) {
        for (const [, subgraph] of node.subgraphs()) this.inlineIn(subgraph, chain);
        result.push(node);
        continue;
      }
      if (chain.includes(called)) throw recursion(called);
      if (chain.length >= MAXIMUM_DEPTH) throw expansion(`calls are nested more than ${MAXIMUM_DEPTH} deep`);
      for (const copy of this.#inlineNodes(this.#bodyFor(node, called, graph), graph, [...chain, called]))
        result.push(copy);
    }
    return result;
  }

  #accepts(called: ModelFunction): boolean {
    const conflict = opsetConflict(called, this.#model);
    if (conflict !== undefined) this.declined.add(`Function '${called.name}' is not inlined: ${conflict}.`);
    return conflict === undefined;
  }

  /** A copy of a function's body in place of a call, which is left without inputs and outputs. */
  #bodyFor(call: Node, called: ModelFunction, graph: Graph): Node[] {
    const { body } = called;
    sortTopologically(body);
    this.copied += body.nodes.length;
    this.replaced++;
    if (this.copied > MAXIMUM_NODES) throw expansion(`the calls expand to more than ${MAXIMUM_NODES} nodes`);
    for (const [domain, version] of called.opsetImports) {
      if (!this.#model.opsetImports.has(domain)) this.#model.opsetImports.set(domain, version);
    }
    const formal = new Set(body.inputs);
    const values = new Map<Value, Value | undefined>(body.inputs.map((value, index) => [value, call.input(index)]));
    const returned: [Value | undefined, Value][] = [];
    for (const [index, output] of call.outputs.entries()) {
      const value = body.outputs[index];
      if (output === undefined || value === undefined) continue;
      // An input returned as it is, or one value returned twice, needs a node of its own for the second name.
      if (formal.has(value) || values.has(value)) returned.push([value, output]);
      else values.set(value, output);
    }
    const nodes = cloneNodes(body.nodes, {
      values,
      rename: (name) => this.#model.freshName(name),
      attribute: (_, attribute) => resolveReference(attribute, call, called),
    });
    for (const [value, output] of returned) nodes.push(new Node('Identity', [value && values.get(value)], [output]));
    if (call.name !== '') for (const node of nodes) if (node.name !== '') node.name = `${call.name}/${node.name}`;
    // Releases what the graphs in its attributes use, too; it may stand in no graph.
    graph.remove(call);
    return nodes;
  }
}

/** The attribute of the call that a reference names, else the function's default, else none. */
function resolveReference(attribute: Attribute, call: Node, called: ModelFunction): Attribute | undefined {
  if (attribute.kind !== 'reference') return attribute;
  return call.attributes.get(attribute.value) ?? called.attributeDefaults?.get(attribute.value);
}

function opsetConflict(called: ModelFunction, model: Model): string | undefined {
  const used = new Map<string, Set<string>>();
  forEachGraph(called.body, (graph) => {
    for (const node of graph.nodes) {
      if (model.functionFor(node) !== undefined) continue;
      const operators = used.get(node.domain) ?? new Set();
      used.set(node.domain, operators.add(node.opType));
    }
  });
  for (const [domain, operators] of used) {
    const [inner, outer] = [called.opsetImports.get(domain), model.opsetImports.get(domain)];
    if (inner === undefined || outer === undefined || inner === outer) continue;
    const changed = domain === '' ? [...operators].find((operator) => isChanged(operator, inner, outer)) : domain;
    if (changed !== undefined) {
      return `it is written against version ${inner} of '${domain || 'ai.onnx'}', the model against version ${outer}`;
    }
  }
  return undefined;
}

/** Whether a standard operator may mean something else in the one version than in the other. */
function isChanged(operator: string, a: number, b: number): boolean {
  const [low, high] = a < b ? [a, b] : [b, a];
  if (high > NEWEST_OPSET) return true;
  for (let version = low + 1; version <= high; version++) if (changesIn(operator, version)) return true;
  return false;
}

function recursion(called: ModelFunction): GraphError {
  return new GraphError({
    code: 'FUNCTION_RECURSION',
    message: `The model-local function '${called.name}' calls itself.`,
    advice: 'ONNX functions must not be recursive; export the model again.',
  });
}

function expansion(why: string): GraphError {
  return new GraphError({
    code: 'FUNCTION_EXPANSION',
    message: `The model-local functions cannot be inlined: ${why}.`,
    advice: 'No known exporter makes such a model. Export it again, with functions inlined.',
  });
}
