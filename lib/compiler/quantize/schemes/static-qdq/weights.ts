/** Weights and biases as integers: once for each set of parameters, however many nodes and subgraphs share the float32 tensor. */
import type { QuantizationParameters, StaticRecipe } from '../../../../artifact/recipe.js';
import { attribute } from '../../../ir/attribute.js';
import { elementTypeNumber } from '../../../ir/element-type.js';
import type { Graph } from '../../../ir/graph.js';
import { Node } from '../../../ir/node.js';
import { Tensor } from '../../../ir/tensor.js';
import { Value } from '../../../ir/value.js';
import { quantizeBias, roomForBias } from '../../parameters/quantize-bias.js';
import { quantizeTensor, quantizeWeight, weightParameters } from '../../parameters/quantize-weight.js';
import type { QuantizedWeight } from '../../plan.js';
import type { SchemeContext } from '../../scheme.js';
import type { PlannedNode } from './layout.js';
import type { LinearOperands } from './linear-operands.js';
import { graphOf, type QuantizationWriter } from './quantization-writer.js';

/** How the float32 numbers come back: for integer kernels, or folded by onnxruntime when it loads the model. */
type Form = 'dequantize' | 'cast';

export class WeightWriter {
  readonly #writer: QuantizationWriter;
  readonly #context: SchemeContext;
  /** By the graph that reads it and by what is stored. */
  readonly #restored = new Map<Graph, Map<string, Value>>();

  constructor(writer: QuantizationWriter, context: SchemeContext) {
    this.#writer = writer;
    this.#context = context;
  }

  /** Replaces the weight of a node, and its bias where there is an integer kernel. @param inputScale of its activation */
  replaceWeight(
    { node, recipe, operator }: PlannedNode,
    linear: LinearOperands,
    isInteger: boolean,
    inputScale: number,
  ) {
    const value = node.input(1);
    if (linear.weight === undefined || value === undefined) return;
    const bias =
      linear.bias === undefined ? undefined : perChannel(scaled(linear.bias, linear.beta), node, linear.weight);
    const weight = scaled(linear.weight, linear.alpha);
    const form = isInteger && operator.isFused ? 'dequantize' : 'cast';
    const quantized = this.#quantized(value.name, weight, linear, recipe, (parameters) =>
      bias === undefined || form === 'cast' ? parameters : roomForBias(parameters, bias, inputScale),
    );
    node.setInput(1, this.#restore(node, value, quantized, form));
    this.replaceBias(node, bias, form === 'dequantize', inputScale, quantized.parameters.scale);
    node.attributes.delete('alpha');
    node.attributes.delete('beta');
  }

  /** An int32 bias where `isInteger`; else the float32 one, if Gemm's beta changed it. */
  replaceBias(
    node: Node,
    bias: Tensor | undefined,
    isInteger: boolean,
    inputScale: number,
    weightScale: readonly number[],
  ): void {
    const value = node.input(2);
    const { graph } = node;
    if (bias === undefined || value === undefined || graph === undefined) return;
    if (isInteger && (bias.count === weightScale.length || weightScale.length === 1)) {
      const { integers, scale } = quantizeBias(bias, inputScale, weightScale);
      node.setInput(2, this.#restoreBias(node, value, integers, scale));
    } else if (bias !== node.constantInput(2)) {
      node.setInput(2, this.#writer.constant(graphOf(value, graph), value.name, bias));
    }
  }

  /** A constant that an elementwise operator reads next to an activation: quantized like one. */
  replaceConstant(node: Node, index: number, recipe: StaticRecipe): void {
    const value = node.input(index);
    const tensor = node.constantInput(index);
    if (value === undefined || tensor === undefined) return;
    const { activations: dataType, reduceRange } = recipe;
    const quantized = quantizeWeight(value.name, tensor, { dataType, reduceRange, symmetric: false });
    node.setInput(index, this.#restore(node, value, quantized, 'dequantize'));
  }

  #quantized(
    name: string,
    tensor: Tensor,
    { weight, axis }: LinearOperands,
    recipe: StaticRecipe,
    makeRoom: (parameters: QuantizationParameters) => QuantizationParameters,
  ): QuantizedWeight {
    const rounded = tensor === weight ? this.#context.quantizedWeight(name) : undefined;
    if (rounded !== undefined && fits(rounded, tensor, axis, recipe)) {
      if (makeRoom(rounded.parameters) === rounded.parameters) return rounded;
    }
    const { weights: dataType, reduceRange } = recipe;
    const options = { dataType, reduceRange, ...(axis === undefined ? {} : { axis }) };
    const parameters = makeRoom(weightParameters(name, tensor, options));
    return { parameters, integers: quantizeTensor(tensor, parameters) };
  }

  #restore(node: Node, value: Value, quantized: QuantizedWeight, form: Form): Value {
    const { graph } = node;
    if (graph === undefined) throw new TypeError(`${node.describe()} stands in no graph`);
    const { integers, parameters } = quantized;
    const owner = graphOf(value, graph);
    const stored = this.#writer.constant(owner, `${value.name}_quantized`, integers);
    const constants = this.#writer.scaleAndZeroPoint(owner, parameters);
    const key = [form, stored.name, ...constants.map(({ name }) => name), parameters.axis ?? ''].join('\n');
    return this.#once(node, graph, key, () => {
      const output = new Value(this.#writer.freshName(`${value.name}_dequantized`), floatType(integers.dims));
      const nodes =
        form === 'dequantize'
          ? [this.#writer.dequantizeLinear(stored, constants, parameters, output)]
          : this.#castNodes(owner, stored, integers, parameters, output);
      return { nodes, output };
    });
  }

  /** Cast, a subtraction where the zero point is not 0, and a multiplication: the arithmetic of DequantizeLinear. */
  #castNodes(owner: Graph, stored: Value, integers: Tensor, parameters: QuantizationParameters, output: Value): Node[] {
    const { tensor, scale, zeroPoint, axis } = parameters;
    const type = floatType(integers.dims);
    const dims = axis === undefined ? [] : integers.dims.map((size, index) => (index === axis ? size : 1));
    const constant = (name: string, numbers: readonly number[]) =>
      this.#writer.constant(owner, name, Tensor.fromNumbers('float32', dims, numbers));
    let current = new Value(this.#writer.freshName(`${tensor}_cast`), type);
    const to = { to: attribute.int(elementTypeNumber('float32')) };
    const nodes = [new Node('Cast', [stored], [current], { attributes: to })];
    if (zeroPoint.some((point) => point !== 0)) {
      const centred = new Value(this.#writer.freshName(`${tensor}_centred`), type);
      nodes.push(new Node('Sub', [current, constant(`${tensor}_zero_point`, zeroPoint)], [centred]));
      current = centred;
    }
    return [...nodes, new Node('Mul', [current, constant(`${tensor}_scale`, scale)], [output])];
  }

  #restoreBias(node: Node, value: Value, integers: Tensor, scale: readonly number[]): Value {
    const { graph } = node;
    if (graph === undefined) throw new TypeError(`${node.describe()} stands in no graph`);
    const owner = graphOf(value, graph);
    const perChannel = scale.length > 1;
    const dims = perChannel ? [scale.length] : [];
    const stored = this.#writer.constant(owner, `${value.name}_quantized`, integers);
    const constants = [
      this.#writer.constant(owner, `${value.name}_scale`, Tensor.fromNumbers('float32', dims, scale)),
      this.#writer.constant(
        owner,
        `${value.name}_zero_point`,
        Tensor.fromNumbers(
          'int32',
          dims,
          scale.map(() => 0),
        ),
      ),
    ];
    const axis = integers.dims.length - 1;
    const key = ['bias', stored.name, ...constants.map(({ name }) => name), axis].join('\n');
    return this.#once(node, graph, key, () => {
      const output = new Value(this.#writer.freshName(`${value.name}_dequantized`), floatType(integers.dims));
      const attributes = perChannel ? { axis: attribute.int(axis) } : {};
      return { nodes: [new Node('DequantizeLinear', [stored, ...constants], [output], { attributes })], output };
    });
  }

  /** Puts nodes in front of their first reader in its graph; readers after it find what they return. */
  #once(node: Node, graph: Graph, key: string, write: () => { nodes: Node[]; output: Value }): Value {
    const restored = this.#restored.get(graph) ?? new Map<string, Value>();
    this.#restored.set(graph, restored);
    const known = restored.get(key);
    if (known !== undefined) return known;
    const { nodes, output } = write();
    restored.set(key, output);
    this.#writer.insertions.before(node, ...nodes);
    return output;
  }
}

/** The same tensor for a factor of 1. */
function scaled(tensor: Tensor, factor: number): Tensor {
  if (factor === 1) return tensor;
  return Tensor.fromTyped(
    'float32',
    tensor.dims,
    (tensor.typed() as Float32Array).map((number) => number * factor),
  );
}

/** A Gemm's one number for all channels, once for each: integer kernels want that. */
function perChannel(bias: Tensor, node: Node, weight: Tensor): Tensor {
  const channels = weight.dims[node.int('transB', 0) === 1 ? 0 : 1] ?? 1;
  if (!node.is('Gemm') || bias.count !== 1 || channels === 1) return bias;
  return Tensor.fromNumbers('float32', [channels], new Float32Array(channels).fill(bias.numbers()[0] ?? 0));
}

/** Whether integers that were rounded by data are what the recipe asks for. */
function fits(
  { integers, parameters }: QuantizedWeight,
  tensor: Tensor,
  axis: number | undefined,
  recipe: StaticRecipe,
): boolean {
  const count = axis === undefined ? 1 : tensor.dims[axis];
  return (
    parameters.dataType === recipe.weights &&
    parameters.axis === axis &&
    parameters.scale.length === count &&
    String(integers.dims) === String(tensor.dims)
  );
}

function floatType(shape: readonly number[]) {
  return { kind: 'tensor', elementType: 'float32', shape } as const;
}
