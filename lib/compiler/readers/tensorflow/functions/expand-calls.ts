/**
 * Calls of functions, replaced by what they compute. Each call becomes an IdentityN of its name, which `skipIdentities` takes out again; bodies
 * of If, While and Case stay functions, each expanded too, in the form of a graph: arguments are nodes of op _Arg, returns and inputs are
 * `node:1`, not `node:output:0`.
 */
import type {
  ArgumentDef,
  AttrValue,
  FunctionDef,
  FunctionReference,
  GraphDef,
  NodeDef,
  TensorFlowType,
} from '../../../formats/tensorflow/graph-def.js';
import { ReaderError } from '../../reader-error.js';
import { type Attributes, functionsOf, substituted } from './attributes.js';
import { BodyScope } from './body-scope.js';

import { isControl, nodeOf } from './references.js';

/** Functions that call one another; TensorFlow's own programs stay below ten. */
const MAXIMUM_DEPTH = 64;
/** Nodes of all functions, each counted as often as it is called. */
const MAXIMUM_NODES = 2 ** 17;

const CALLS = new Set(['PartitionedCall', 'StatefulPartitionedCall']);
/** Operators that run functions under a condition, and the attributes that name these. */
const BODIES: Readonly<Record<string, readonly string[]>> = {
  If: ['then_branch', 'else_branch'],
  StatelessIf: ['then_branch', 'else_branch'],
  While: ['cond', 'body'],
  StatelessWhile: ['cond', 'body'],
  Case: ['branches'],
  StatelessCase: ['branches'],
};

/**
 * @param roots names of the nodes that are wanted; default all
 * @throws ReaderError FUNCTION_MISSING, FUNCTION_RECURSION, FUNCTION_SIZE, FUNCTION_REFERENCE, FUNCTION_ARGUMENTS
 */
export function expandCalls(graph: GraphDef, roots?: readonly string[]): GraphDef {
  const wanted = roots === undefined ? graph.nodes : reachable(graph.nodes, roots);
  const expansion = new Expansion(graph.functions);
  return { nodes: expansion.graph(wanted), functions: expansion.bodies };
}

/** The nodes that `roots` depend on, controls included, in the graph's order. */
export function reachable(nodes: readonly NodeDef[], roots: readonly string[]): NodeDef[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const seen = new Set<string>();
  const open = [...roots];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const input of byName.get(name)?.inputs ?? []) open.push(nodeOf(input));
  }
  return nodes.filter(({ name }) => seen.has(name));
}

/** What a function gives back: references to nodes of the graph it was expanded into. */
interface Returned {
  readonly outputs: readonly string[];
  readonly controls: readonly string[];
}

/** One graph that nodes are written to, with names of its own. */
class Target {
  readonly nodes: NodeDef[] = [];
  readonly #names = new Set<string>();
  /** Where the search for a free name goes on. */
  readonly #suffixes = new Map<string, number>();

  fresh(base: string): string {
    let name = base;
    let suffix = this.#suffixes.get(base) ?? 1;
    for (; this.#names.has(name); suffix++) name = `${base}_${suffix}`;
    this.#suffixes.set(base, suffix);
    this.#names.add(name);
    return name;
  }
}

interface Call {
  readonly attributes: Attributes;
  /** Names of the nodes around it that people know: 'model/conv'. */
  readonly prefix: string;
  /** The functions that it is in. */
  readonly stack: readonly string[];
}

class Expansion {
  /** Of control flow, by the names that attributes have after the expansion. */
  readonly bodies = new Map<string, FunctionDef>();
  readonly #functions: ReadonlyMap<string, FunctionDef>;
  #count = 0;

  constructor(functions: ReadonlyMap<string, FunctionDef>) {
    this.#functions = functions;
  }

  graph(nodes: readonly NodeDef[]): NodeDef[] {
    const target = new Target();
    for (const { name } of nodes) target.fresh(name);
    const call = { attributes: new Map(), prefix: '', stack: [] };
    for (const node of nodes) this.#node(target, node, node.name, node.inputs, call);
    return target.nodes;
  }

  #node(target: Target, node: NodeDef, name: string, inputs: readonly string[], call: Call): void {
    this.#count++;
    if (this.#count > MAXIMUM_NODES) {
      throw new ReaderError({
        code: 'FUNCTION_SIZE',
        message: `The graph has more than ${MAXIMUM_NODES} nodes once functions stand where they are called.`,
        advice: 'No model is known that needs this: the file is damaged or hostile.',
      });
    }
    const attributes = substituted(node.attributes, call.attributes);
    const callee = this.#callee(node, attributes, call);
    if (callee !== undefined) {
      const data = inputs.filter((input) => !isControl(input));
      const inner = { attributes: callee.attributes, prefix: pathOf(name), stack: [...call.stack, callee.body.name] };
      const { outputs, controls } = this.#body(target, callee.body, data, inner);
      const all = [...outputs, ...controls.map((control) => `^${control}`), ...inputs.filter(isControl)];
      const types = callee.body.outputs.map((output): AttrValue => typeOf(output, callee.attributes));
      const T: AttrValue = { kind: 'list', values: types };
      target.nodes.push({ name, op: IDENTITIES, inputs: all, attributes: new Map([['T', T]]) });
      return;
    }
    const bodies = BODIES[node.op] ?? [];
    const own = bodies.length === 0 ? attributes : this.#withBodies(attributes, bodies, call);
    target.nodes.push({ name, op: node.op, inputs, attributes: own });
  }

  /** The function that a node calls at once, if it does. */
  #callee(
    node: NodeDef,
    attributes: Attributes,
    { stack }: Call,
  ): { readonly body: FunctionDef; readonly attributes: Attributes } | undefined {
    const direct = this.#functions.get(node.op);
    if (direct !== undefined) return { body: this.#enter(direct.name, stack), attributes };
    if (!CALLS.has(node.op)) return undefined;
    const [reference] = functionsOf(attributes.get('f'));
    if (reference === undefined) throw missing(`${node.op} '${node.name}' names no function`);
    return { body: this.#enter(reference.name, stack), attributes: reference.attributes };
  }

  #enter(name: string, stack: readonly string[]): FunctionDef {
    const body = this.#functions.get(name);
    if (body === undefined) throw missing(`function '${name}' is called and is not in the file`);
    if (stack.includes(name) || stack.length >= MAXIMUM_DEPTH) {
      throw new ReaderError({
        code: 'FUNCTION_RECURSION',
        message: `Function '${name}' ${stack.includes(name) ? 'calls itself' : `is called through ${stack.length} others`}.`,
        advice: 'Recursion has no counterpart in ONNX: write it as a loop and export the model again.',
      });
    }
    return body;
  }

  /** Expands a body into `target`, its arguments standing for `inputs`. */
  #body(target: Target, body: FunctionDef, inputs: readonly string[], call: Call): Returned {
    if (inputs.length !== body.inputs.length) {
      throw new ReaderError({
        code: 'FUNCTION_ARGUMENTS',
        message: `Function '${body.name}' takes ${body.inputs.length} arguments and is called with ${inputs.length}.`,
        advice: DAMAGED,
      });
    }
    const returns = body.outputs.map(({ name }) => body.returns.get(name) ?? '');
    const controls = body.controlReturns ?? [];
    const nodes = reachable(body.nodes, [...returns.map(nodeOf), ...controls]);
    const names = new Map(nodes.map((node) => [node.name, target.fresh(under(call.prefix, node.name))]));
    const scope = new BodyScope(body, nodes, inputs, names, (node) => this.#functions.get(node.op));
    for (const node of nodes) {
      const own = node.inputs.flatMap((input) => scope.reference(input) ?? []);
      this.#node(target, node, names.get(node.name) ?? node.name, own, call);
    }
    return {
      outputs: returns.map((value) => scope.required(value)),
      controls: controls.flatMap((control) => names.get(control) ?? []),
    };
  }

  #withBodies(attributes: Attributes, names: readonly string[], call: Call): Attributes {
    const result = new Map(attributes);
    for (const name of names) {
      const value = attributes.get(name);
      const references = functionsOf(value).map((reference) => this.#separate(reference, call));
      const [first] = references;
      if (value?.kind === 'list') result.set(name, { kind: 'list', values: references });
      else if (first !== undefined) result.set(name, first);
    }
    return result;
  }

  /** Expands a function into a graph of its own. */
  #separate(reference: FunctionReference, { stack }: Call): FunctionReference {
    const plain = reference.attributes.size === 0;
    const body = this.#enter(reference.name, stack);
    if (plain && this.bodies.has(body.name)) return reference;
    const target = new Target();
    const inputs = body.inputs.map((argument, index) => {
      const name = target.fresh(argument.name);
      const type = typeOf(argument, reference.attributes);
      const attributes = new Map<string, AttrValue>([
        ['T', type],
        ['index', { kind: 'int', value: BigInt(index) }],
      ]);
      target.nodes.push({ name, op: '_Arg', inputs: [], attributes });
      return name;
    });
    const call = { attributes: reference.attributes, prefix: '', stack: [...stack, body.name] };
    const { outputs, controls } = this.#body(target, body, inputs, call);
    let name = body.name;
    for (let suffix = 1; this.bodies.has(name); suffix++) name = `${body.name}_${suffix}`;
    const typed = (argument: ArgumentDef): ArgumentDef => ({
      name: argument.name,
      dataType: typeOf(argument, reference.attributes).value,
    });
    this.bodies.set(name, {
      name,
      inputs: body.inputs.map(typed),
      outputs: body.outputs.map(typed),
      nodes: target.nodes,
      returns: new Map(body.outputs.map((output, index) => [output.name, outputs[index] ?? ''])),
      controlReturns: controls,
    });
    return { kind: 'function', name, attributes: new Map() };
  }
}

/** The op of what stands for a call. */
export const IDENTITIES = 'IdentityN';

const DAMAGED = 'The file is damaged; export the model again.';

function typeOf({ dataType, typeAttribute }: ArgumentDef, call: Attributes): { kind: 'type'; value: TensorFlowType } {
  const given = typeAttribute === undefined ? undefined : call.get(typeAttribute);
  return { kind: 'type', value: given?.kind === 'type' ? given.value : dataType };
}

/** The path that a call's name adds to the names in it: what TensorFlow itself put at its end says nothing. */
function pathOf(name: string): string {
  return name.replace(/(^|\/)(Stateful|Stateless)?PartitionedCall(_\d+)?$/, '');
}

function under(prefix: string, name: string): string {
  return prefix === '' || name.startsWith(`${prefix}/`) ? name : `${prefix}/${name}`;
}

function missing(what: string): ReaderError {
  return new ReaderError({ code: 'FUNCTION_MISSING', message: `The graph is not complete: ${what}.`, advice: DAMAGED });
}
