/** Writes an ONNX graph node by node, with the type and shape of each value known as it is made. */
import type { Attribute } from '../ir/attribute.js';
import type { ElementType } from '../ir/element-type.js';
import { Graph } from '../ir/graph.js';
import { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { Value } from '../ir/value.js';
import { evaluateNode, isEvaluable } from '../passes/evaluation/evaluate-node.js';
import { LoweringError } from './lowering-error.js';
import { type Shape, shapeOf } from './shape.js';

/** The operator set that readers write. */
export const LOWERING_OPSET = 18;

export interface TensorTypeOptions {
  readonly elementType: ElementType;
  readonly shape: Shape;
}

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

/** Constants up to this many bytes are computed while the graph is written; more is left to the passes. */
const EVALUATED_BYTES = 2 ** 24;

export class GraphBuilder {
  readonly model: Model;
  readonly #graph: Graph;
  readonly #scope: string[] = [];

  /** @param graph a graph inside `model` (a branch, a body), to write that; default the model's own */
  constructor(model = new Model(new Graph('model'), new Map([['', LOWERING_OPSET]])), graph = model.graph) {
    this.model = model;
    this.#graph = graph;
  }

  get graph(): Graph {
    return this.#graph;
  }

  /** A builder of a graph for a node's attribute, whose nodes may read what was written here. */
  subgraph(name: string): GraphBuilder {
    const inner = new GraphBuilder(this.model, new Graph(name));
    inner.#scope.push(...this.#scope);
    return inner;
  }

  /** Names what `write` adds after the source's layer or operator: people find it again in reports. */
  scope<Result>(name: string, write: () => Result): Result {
    this.#scope.push(name);
    try {
      return write();
    } finally {
      this.#scope.pop();
    }
  }

  /** What stands in scope: the path of the source's layers. */
  get path(): string {
    return this.#scope.join('/');
  }

  input(name: string, type: TensorTypeOptions): Value {
    return this.#graph.addInput(this.model.freshName(name), { kind: 'tensor', ...type });
  }

  /** @param name of the source's weight; default one made of the scope */
  constant(tensor: Tensor, name?: string): Value {
    return this.#graph.addInitializer(this.#fresh(name ?? 'constant'), tensor);
  }

  floats(numbers: ArrayLike<number>, dims: readonly number[] = [numbers.length]): Value {
    return this.constant(Tensor.fromNumbers('float32', dims, numbers));
  }

  int64(numbers: readonly (number | bigint)[], dims: readonly number[] = [numbers.length]): Value {
    return this.constant(Tensor.int64(numbers, dims));
  }

  /** A scalar of the type of `like`, so that arithmetic with it needs no Cast. */
  scalar(number: number, like: ElementType = 'float32'): Value {
    return this.constant(Tensor.scalar(like, number));
  }

  /** One node with one output. Where all inputs are constants and the operator can be computed here, its result is a constant. */
  node(
    opType: string,
    inputs: readonly (Value | undefined)[],
    type: TensorTypeOptions,
    options: NodeOptions = {},
  ): Value {
    return this.nodes(opType, inputs, [type], options)[0] as Value;
  }

  /** One node with several outputs; `undefined` in `types` leaves an output out. Returns those that are there, by position. */
  nodes(
    opType: string,
    inputs: readonly (Value | undefined)[],
    types: readonly (TensorTypeOptions | undefined)[],
    options: NodeOptions = {},
  ): (Value | undefined)[] {
    const outputs = types.map((type) => {
      if (type === undefined) return undefined;
      return new Value(this.#fresh(opType), { kind: 'tensor', ...type });
    });
    const { attributes = {}, domain = '' } = options;
    // Names of nodes are unique in a model, as those of values are.
    const name = outputs.find((output) => output !== undefined)?.name ?? '';
    const node = new Node(opType, inputs, outputs, { attributes, domain, name });
    const constants = this.#evaluated(node);
    if (constants === undefined) {
      this.#graph.append(node);
      return outputs;
    }
    node.setInputs([]);
    return outputs.map((output, index) => {
      const tensor = constants[index];
      return output === undefined || tensor === undefined ? undefined : this.#graph.addInitializer(output.name, tensor);
    });
  }

  #evaluated(node: Node): readonly Tensor[] | undefined {
    if (!isEvaluable(node) || node.inputs.length === 0) return undefined;
    const inputs = node.inputs.map((value) => value?.initializer);
    if (node.inputs.some((value, index) => value !== undefined && inputs[index] === undefined)) return undefined;
    const evaluation = evaluateNode(node, inputs, { opset: LOWERING_OPSET, maximumBytes: EVALUATED_BYTES });
    return evaluation.kind === 'evaluated' ? evaluation.outputs : undefined;
  }

  /**
   * Ends the graph. Outputs get the names that the source gives them, with a suffix where an input has it; one that is an input, a
   * constant, or an output already, passes an Identity.
   */
  finish(outputs: readonly { readonly name: string; readonly value: Value }[]): Model {
    const taken = new Set<Value>(this.#graph.inputs);
    const values = outputs.map(({ value }) => {
      const isOwn = value.producer?.graph === this.#graph && !taken.has(value);
      const output = isOwn ? value : this.#identity(value);
      taken.add(output);
      return output;
    });
    this.#graph.setOutputs(values);
    const inputs = new Set(this.#graph.inputs.map(({ name }) => name));
    const named = new Map<Value, string>();
    for (const [index, { name }] of outputs.entries()) {
      named.set(values[index] as Value, inputs.has(name) ? this.model.freshName(name) : name);
    }
    const names = new Set(named.values());
    for (const value of [...this.#graph.initializers, ...this.#graph.nodes.flatMap((node) => node.outputs)]) {
      if (value === undefined) continue;
      const own = named.get(value);
      if (own !== undefined) value.name = own;
      else if (names.has(value.name)) value.name = this.model.freshName(`${value.name}/value`);
    }
    this.model.namesChanged();
    return this.model;
  }

  #identity(value: Value): Value {
    const type = typeOf(value);
    const output = new Value(this.#fresh('Identity'), { kind: 'tensor', ...type });
    this.#graph.append(new Node('Identity', [value], [output], { name: output.name }));
    return output;
  }

  #fresh(name: string): string {
    return this.model.freshName(this.#scope.length === 0 ? name : `${this.path}/${name}`);
  }
}

/** A value's element type and shape. @throws LoweringError RANK_UNKNOWN, TYPE_UNKNOWN */
export function typeOf(value: Value): TensorTypeOptions {
  return { elementType: elementTypeOf(value), shape: shapeOf(value) };
}

/** @throws LoweringError TYPE_UNKNOWN */
export function elementTypeOf(value: Value): ElementType {
  const { elementType } = value;
  if (elementType !== undefined) return elementType;
  throw new LoweringError({
    code: 'TYPE_UNKNOWN',
    message: `The element type of '${value.name}' is not known.`,
    advice: 'This is a fault of cdk-onnx: please report it with the model.',
  });
}
