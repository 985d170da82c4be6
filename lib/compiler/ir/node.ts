/** One operation of a graph. */
import type { NodeProto } from 'onnx-buf';
import { GraphError } from '../../errors.js';
import type { Attribute } from './attribute.js';
import type { Graph } from './graph.js';
import type { Tensor } from './tensor.js';
import type { Use, Value } from './value.js';

export interface NodeOptions {
  /** Default '', the standard operators (ai.onnx). */
  readonly domain?: string;
  readonly name?: string;
  readonly overload?: string;
  readonly attributes?: Readonly<Record<string, Attribute>> | ReadonlyMap<string, Attribute>;
  readonly origin?: NodeProto;
}

const decoder = new TextDecoder();

export class Node {
  opType: string;
  /** '' for the standard operators, whatever the file called them. */
  domain: string;
  overload: string;
  name: string;
  readonly attributes: Map<string, Attribute>;
  /** The message it was read from. */
  origin: NodeProto | undefined;
  /** The graph that it stands in; set by Graph. */
  graph: Graph | undefined;
  readonly #inputs: (Value | undefined)[] = [];
  readonly #uses: (Use | undefined)[] = [];
  readonly #outputs: (Value | undefined)[] = [];

  /** undefined stands for an optional input or output that is left out. */
  constructor(
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly (Value | undefined)[],
    options: NodeOptions = {},
  ) {
    this.opType = opType;
    this.domain = options.domain ?? '';
    this.overload = options.overload ?? '';
    this.name = options.name ?? '';
    const attributes = options.attributes ?? {};
    this.attributes = attributes instanceof Map ? new Map(attributes) : new Map(Object.entries(attributes));
    this.origin = options.origin;
    this.setInputs(inputs);
    this.setOutputs(outputs);
  }

  get inputs(): readonly (Value | undefined)[] {
    return this.#inputs;
  }

  get outputs(): readonly (Value | undefined)[] {
    return this.#outputs;
  }

  /** Input `index`, or undefined where it is left out. */
  input(index: number): Value | undefined {
    return this.#inputs[index];
  }

  /** Output `index`. @throws GraphError NODE_OUTPUT if the node has none there. */
  output(index = 0): Value {
    const value = this.#outputs[index];
    if (value === undefined) {
      throw new GraphError({
        code: 'NODE_OUTPUT',
        message: `${this.describe()} has no output ${index}.`,
        advice: 'The graph is not valid ONNX; export the model again.',
      });
    }
    return value;
  }

  /** The constant behind input `index`: an initializer that no caller can override, else undefined. */
  constantInput(index: number): Tensor | undefined {
    const value = this.#inputs[index];
    if (value?.initializer === undefined) return undefined;
    return value.uses.size > 0 && isOverridable(value, this.graph) ? undefined : value.initializer;
  }

  setInput(index: number, value: Value | undefined): void {
    const before = this.#uses[index];
    if (before !== undefined) this.#inputs[index]?.uses.delete(before);
    while (this.#inputs.length < index) {
      this.#inputs.push(undefined);
      this.#uses.push(undefined);
    }
    this.#inputs[index] = value;
    const use: Use | undefined = value === undefined ? undefined : { kind: 'input', node: this, index };
    this.#uses[index] = use;
    if (use !== undefined) value?.uses.add(use);
  }

  /** Replaces all inputs; `[]` releases them. */
  setInputs(values: readonly (Value | undefined)[]): void {
    for (let index = 0; index < this.#inputs.length; index++) this.setInput(index, undefined);
    this.#inputs.length = 0;
    this.#uses.length = 0;
    for (const [index, value] of values.entries()) this.setInput(index, value);
  }

  /** Replaces all outputs; a value moved here from another node is taken from it. */
  setOutputs(values: readonly (Value | undefined)[]): void {
    for (const value of this.#outputs) if (value?.producer === this) value.producer = undefined;
    this.#outputs.length = 0;
    for (const value of values) {
      this.#outputs.push(value);
      if (value !== undefined) value.producer = this;
    }
  }

  /** The graphs in its attributes (If, Loop, Scan and the like), with the attribute's name. */
  *subgraphs(): Generator<readonly [string, Graph]> {
    for (const [name, attribute] of this.attributes) {
      if (attribute.kind === 'graph') yield [name, attribute.value];
      else if (attribute.kind === 'graphs') for (const graph of attribute.value) yield [name, graph];
    }
  }

  /** True for `opType` of the standard operators. */
  is(...opTypes: readonly string[]): boolean {
    return this.domain === '' && opTypes.includes(this.opType);
  }

  int(name: string, fallback: number): number;
  int(name: string): number | undefined;
  int(name: string, fallback?: number): number | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'int' ? Number(attribute.value) : fallback;
  }

  ints(name: string): number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'ints' ? attribute.value.map(Number) : undefined;
  }

  float(name: string, fallback: number): number;
  float(name: string): number | undefined;
  float(name: string, fallback?: number): number | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'float' ? attribute.value : fallback;
  }

  floats(name: string): readonly number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'floats' ? attribute.value : undefined;
  }

  string(name: string, fallback: string): string;
  string(name: string): string | undefined;
  string(name: string, fallback?: string): string | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'string' ? decoder.decode(attribute.value) : fallback;
  }

  tensor(name: string): Tensor | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'tensor' ? attribute.value : undefined;
  }

  /** For messages: op type, and the name or first output that people find it by. */
  describe(): string {
    const opType = this.domain === '' ? this.opType : `${this.domain}.${this.opType}`;
    return `${opType} '${this.name || (this.#outputs.find((value) => value !== undefined)?.name ?? '')}'`;
  }
}

/** Whether a caller may pass another tensor for an initializer: it is also listed as an input of some enclosing graph. */
function isOverridable(value: Value, graph: Graph | undefined): boolean {
  for (let scope = graph; scope !== undefined; scope = scope.parent?.graph) {
    if (scope.hasInput(value)) return true;
  }
  return false;
}
