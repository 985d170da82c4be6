/** A model: the main graph, functions of its own, and the operator sets that it is written against. */
import type { FunctionProto, ModelProto } from 'onnx-buf';
import type { Attribute } from './attribute.js';
import type { Graph } from './graph.js';
import { forEachGraph } from './traversal.js';
import type { Value } from './value.js';

/** A model-local function; its body is a graph whose inputs and outputs are the function's. */
export interface ModelFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
  readonly body: Graph;
  readonly opsetImports: ReadonlyMap<string, number>;
  /** What references to attributes mean where a call does not give them. */
  readonly attributeDefaults?: ReadonlyMap<string, Attribute>;
  readonly origin?: FunctionProto;
}

export interface ModelOptions {
  /** IR version of the file. Default 10. */
  readonly irVersion?: number;
  readonly functions?: readonly ModelFunction[];
  readonly origin?: ModelProto;
}

export class Model {
  irVersion: number;
  readonly graph: Graph;
  /** Domain to version; '' is the standard operators. */
  readonly opsetImports: Map<string, number>;
  functions: ModelFunction[];
  /** The message it was read from. */
  origin: ModelProto | undefined;
  #names: Set<string> | undefined;
  /** By base name, where the search for a free suffix goes on: without it, n names of one base take n² steps. */
  readonly #suffixes = new Map<string, number>();
  /** A file may hold many functions and many calls. */
  #functionIndex:
    | {
        readonly of: readonly ModelFunction[];
        readonly size: number;
        readonly byKey: ReadonlyMap<string, ModelFunction>;
      }
    | undefined;

  constructor(graph: Graph, opsetImports: ReadonlyMap<string, number>, options: ModelOptions = {}) {
    this.graph = graph;
    this.opsetImports = new Map(opsetImports);
    this.irVersion = options.irVersion ?? 10;
    this.functions = [...(options.functions ?? [])];
    this.origin = options.origin;
  }

  /** Version of the standard operators. */
  get opset(): number {
    return this.opsetImports.get('') ?? 1;
  }

  /** A name that no value of the model has: `base`, else `base_1`, `base_2`, … */
  freshName(base: string): string {
    this.#names ??= collectNames(this);
    let name = base;
    if (this.#names.has(base)) {
      let suffix = this.#suffixes.get(base) ?? 1;
      while (this.#names.has(`${base}_${suffix}`)) suffix++;
      this.#suffixes.set(base, suffix + 1);
      name = `${base}_${suffix}`;
    }
    this.#names.add(name);
    return name;
  }

  /** To be called after values were renamed other than by `freshName`. */
  namesChanged(): void {
    this.#names = undefined;
    this.#suffixes.clear();
  }

  /** The model-local function that a node calls, if any. */
  functionFor(call: {
    readonly domain: string;
    readonly opType: string;
    readonly overload: string;
  }): ModelFunction | undefined {
    if (this.#functionIndex?.of !== this.functions || this.#functionIndex.size !== this.functions.length) {
      const byKey = new Map(this.functions.map((fn) => [functionKey(fn.domain, fn.name, fn.overload), fn]));
      this.#functionIndex = { of: this.functions, size: this.functions.length, byKey };
    }
    return this.#functionIndex.byKey.get(functionKey(call.domain, call.opType, call.overload));
  }
}

function functionKey(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain, name, overload]);
}

function collectNames(model: Model): Set<string> {
  const names = new Set<string>();
  const add = (value: Value | undefined) => {
    if (value !== undefined) names.add(value.name);
  };
  const addAll = (graph: Graph) => {
    graph.inputs.forEach(add);
    graph.initializers.forEach(add);
    for (const value of graph.sparseInitializers.keys()) add(value);
    for (const node of graph.nodes) node.outputs.forEach(add);
  };
  forEachGraph(model.graph, addAll);
  for (const { body } of model.functions) forEachGraph(body, addAll);
  return names;
}
