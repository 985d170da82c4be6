/** A model: the main graph, functions of its own, and the operator sets that it is written against. */
import type { FunctionProto, ModelProto } from 'onnx-buf';
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
  readonly origin: ModelProto | undefined;
  #names: Set<string> | undefined;

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
    for (let suffix = 1; this.#names.has(name); suffix++) name = `${base}_${suffix}`;
    this.#names.add(name);
    return name;
  }

  /** The model-local function that a node calls, if any. */
  functionFor(call: {
    readonly domain: string;
    readonly opType: string;
    readonly overload: string;
  }): ModelFunction | undefined {
    return this.functions.find(
      (candidate) =>
        candidate.domain === call.domain && candidate.name === call.opType && candidate.overload === call.overload,
    );
  }
}

function collectNames(model: Model): Set<string> {
  const names = new Set<string>();
  const add = (value: Value | undefined) => {
    if (value !== undefined) names.add(value.name);
  };
  const addAll = (graph: Graph) => {
    graph.inputs.forEach(add);
    graph.initializers.forEach(add);
    for (const node of graph.nodes) node.outputs.forEach(add);
  };
  forEachGraph(model.graph, addAll);
  for (const { body } of model.functions) forEachGraph(body, addAll);
  return names;
}
