/** Writes QuantizeLinear and DequantizeLinear, and what they read, once for everyone who needs the same. */
import type { QuantizationParameters } from '../../../../artifact/recipe.js';
import { attribute } from '../../../ir/attribute.js';
import type { Graph } from '../../../ir/graph.js';
import type { Model } from '../../../ir/model.js';
import { Node } from '../../../ir/node.js';
import { Tensor } from '../../../ir/tensor.js';
import { Value } from '../../../ir/value.js';
import { tensorDigest } from '../../node-key.js';
import { Insertions } from './insertions.js';

/** The first opset whose QuantizeLinear and DequantizeLinear know 16 bits; before, onnxruntime's own domain has them. */
const OPSET_OF_16_BITS = 21;

export class QuantizationWriter {
  readonly insertions = new Insertions();
  readonly #model: Model;
  /** Scales and zero points by graph and content: there are few different ones. */
  readonly #constants = new Map<Graph, Map<string, Value>>();

  constructor(model: Model) {
    this.#model = model;
  }

  freshName(base: string): string {
    return this.#model.freshName(base);
  }

  /** A constant of `graph`, one for all that ask for the same content. */
  constant(graph: Graph, name: string, tensor: Tensor): Value {
    const constants = this.#constants.get(graph) ?? new Map<string, Value>();
    this.#constants.set(graph, constants);
    const key = tensorDigest(tensor);
    const known = constants.get(key);
    if (known !== undefined) return known;
    const value = graph.addInitializer(this.#model.freshName(name), tensor);
    constants.set(key, value);
    return value;
  }

  /** The inputs of QuantizeLinear and DequantizeLinear after the first. */
  scaleAndZeroPoint(graph: Graph, parameters: QuantizationParameters): readonly [Value, Value] {
    const { tensor, dataType, scale, zeroPoint, axis } = parameters;
    const dims = axis === undefined ? [] : [scale.length];
    return [
      this.constant(graph, `${tensor}_scale`, Tensor.fromNumbers('float32', dims, scale)),
      this.constant(graph, `${tensor}_zero_point`, Tensor.fromNumbers(storedType(dataType), dims, zeroPoint)),
    ];
  }

  quantizeLinear(value: Value, scaleAndZeroPoint: readonly [Value, Value], parameters: QuantizationParameters): Node {
    const shape = value.type?.kind === 'tensor' ? value.type.shape : undefined;
    const elementType = storedType(parameters.dataType);
    const quantized = new Value(this.freshName(`${parameters.tensor}_quantized`), {
      kind: 'tensor',
      elementType,
      shape,
    });
    return new Node('QuantizeLinear', [value, ...scaleAndZeroPoint], [quantized], this.#options(parameters));
  }

  dequantizeLinear(
    quantized: Value,
    scaleAndZeroPoint: readonly [Value, Value],
    parameters: QuantizationParameters,
    output: Value,
  ): Node {
    return new Node('DequantizeLinear', [quantized, ...scaleAndZeroPoint], [output], this.#options(parameters));
  }

  #options({ dataType, axis }: QuantizationParameters) {
    const is16Bit = dataType === 'int16' || dataType === 'uint16';
    return {
      domain: is16Bit && this.#model.opset < OPSET_OF_16_BITS ? 'com.microsoft' : '',
      attributes: axis === undefined ? {} : { axis: attribute.int(axis) },
    };
  }
}

function storedType(dataType: QuantizationParameters['dataType']) {
  if (dataType === 'int4' || dataType === 'uint4') throw new TypeError('4 bits are not for static quantization');
  return dataType;
}

/** The graph that defines a value which `graph` can see. */
export function graphOf(value: Value, graph: Graph): Graph {
  if (value.producer?.graph !== undefined) return value.producer.graph;
  for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent?.graph) {
    if (scope.initializers.has(value) || scope.hasInput(value)) return scope;
  }
  return graph;
}
