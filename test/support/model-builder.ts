/** Builds small models for tests, an operation a line. */
import type { Attribute } from '../../lib/compiler/ir/attribute.js';
import type { ElementType } from '../../lib/compiler/ir/element-type.js';
import { Graph } from '../../lib/compiler/ir/graph.js';
import { Model, type ModelOptions } from '../../lib/compiler/ir/model.js';
import { Node } from '../../lib/compiler/ir/node.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { type Dimension, Value } from '../../lib/compiler/ir/value.js';

export interface OperationOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
  /** Names of the outputs; '' leaves one out. Default one output with a made-up name. */
  readonly outputs?: readonly string[];
}

export class ModelBuilder {
  readonly graph: Graph;
  readonly #opset: number;
  #names = 0;

  constructor(opset: number, name = 'graph') {
    this.graph = new Graph(name);
    this.#opset = opset;
  }

  input(name: string, shape: readonly Dimension[] | undefined, elementType: ElementType = 'float32'): Value {
    return this.graph.addInput(name, { kind: 'tensor', elementType, shape });
  }

  constant(tensor: Tensor, name = `constant_${this.#names++}`): Value {
    return this.graph.addInitializer(name, tensor);
  }

  floats(numbers: ArrayLike<number>, dims: readonly number[] = [numbers.length]): Value {
    return this.constant(Tensor.fromNumbers('float32', dims, numbers));
  }

  scalar(number: number): Value {
    return this.floats([number], []);
  }

  int64(numbers: readonly number[], dims: readonly number[] = [numbers.length]): Value {
    return this.constant(Tensor.int64(numbers, dims));
  }

  /** Appends a node and returns its first output. */
  add(opType: string, inputs: readonly (Value | undefined)[], options: OperationOptions = {}): Value {
    return this.addAll(opType, inputs, options)[0] as Value;
  }

  /** Appends a node and returns its outputs. */
  addAll(opType: string, inputs: readonly (Value | undefined)[], options: OperationOptions = {}): Value[] {
    const names = options.outputs ?? [`${opType.toLowerCase()}_${this.#names++}`];
    const outputs = names.map((name) => (name === '' ? undefined : new Value(name)));
    const { domain = '', attributes = {} } = options;
    this.graph.append(new Node(opType, inputs, outputs, { domain, attributes }));
    return outputs.filter((value) => value !== undefined);
  }

  /** The graph, for an attribute of another model's node. */
  finishGraph(...outputs: readonly Value[]): Graph {
    // Graph outputs must be typed; an unknown rank lets onnxruntime infer the rest.
    for (const output of outputs) output.type ??= { kind: 'tensor', elementType: 'float32', shape: undefined };
    this.graph.setOutputs(outputs);
    return this.graph;
  }

  finish(outputs: readonly Value[], options: ModelOptions = {}): Model {
    this.finishGraph(...outputs);
    return new Model(this.graph, new Map([['', this.#opset]]), options);
  }
}

/** Marks what a graph output holds where it is not float32. */
export function typed(value: Value, elementType: ElementType): Value {
  value.type = { kind: 'tensor', elementType, shape: undefined };
  return value;
}
