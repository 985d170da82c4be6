/** Puts QuantizeLinear and DequantizeLinear on activations, so that onnxruntime finds each fused node between them. */
import type { QuantizationParameters } from '../../../../artifact/recipe.js';
import type { Graph } from '../../../ir/graph.js';
import type { Node } from '../../../ir/node.js';
import { Value } from '../../../ir/value.js';
import { clipBounds } from '../../../passes/pattern.js';
import { fullRange } from '../../parameters/integer-range.js';
import { roundHalfToEven } from '../../parameters/rounding.js';
import type { Layout, PlannedNode } from './layout.js';
import { graphOf, type QuantizationWriter } from './quantization-writer.js';

interface Quantized {
  readonly value: Value;
  readonly constants: readonly [Value, Value];
  readonly parameters: QuantizationParameters;
  /** The float32 numbers again, by the graph that reads them. */
  readonly restored: Map<Graph, Value>;
  readonly graph: Graph;
  /** Puts nodes behind the QuantizeLinear. */
  readonly insert: (...nodes: readonly Node[]) => void;
}

export class ActivationWriter {
  readonly #writer: QuantizationWriter;
  readonly #layout: Layout;
  readonly #parameters: ReadonlyMap<Value, QuantizationParameters>;
  readonly #quantized = new Map<Value, Quantized>();

  constructor(writer: QuantizationWriter, layout: Layout, parameters: ReadonlyMap<Value, QuantizationParameters>) {
    this.#writer = writer;
    this.#layout = layout;
    this.#parameters = parameters;
  }

  /** Quantizes the layout's values and lets its nodes read them. @returns Relus and Clips that became part of a QuantizeLinear */
  write(): Node[] {
    const absorbed = this.#absorbedClamps();
    for (const [value, { isOutput }] of this.#layout.values) {
      const parameters = this.#parameters.get(value);
      if (parameters === undefined || absorbed.inputs.has(value)) continue;
      if (isOutput) this.#quantizeOutput(value, parameters, absorbed.byOutput.get(value));
      else this.#quantizeInput(value, parameters);
    }
    for (const planned of this.#layout.nodes.values()) {
      if (planned.node.graph !== undefined && !absorbed.nodes.has(planned.node)) this.#readQuantized(planned);
    }
    return [...absorbed.nodes];
  }

  /** Everybody who read the value reads what comes back from the integers: a fused node returns nothing else. */
  #quantizeOutput(value: Value, parameters: QuantizationParameters, clamp: Node | undefined): void {
    const { producer } = value;
    if (producer?.graph === undefined) throw new TypeError(`'${value.name}' is no output of a node`);
    const exact = clamp?.input(0) ?? new Value(this.#writer.freshName(`${value.name}_exact`), value.type);
    if (clamp === undefined) {
      producer.setOutputs(producer.outputs.map((output) => (output === value ? exact : output)));
    } else clamp.setOutputs([]);
    const { graph } = producer;
    const constants = this.#writer.scaleAndZeroPoint(graph, parameters);
    const quantize = this.#writer.quantizeLinear(exact, constants, parameters);
    const dequantize = this.#writer.dequantizeLinear(quantize.output(), constants, parameters, value);
    const place = exact.producer ?? producer;
    const insert = (...nodes: readonly Node[]) => this.#writer.insertions.after(place, ...nodes);
    insert(quantize, dequantize);
    const restored = new Map([[graph, value]]);
    this.#quantized.set(value, { value: quantize.output(), constants, parameters, restored, graph, insert });
  }

  /** Only quantized nodes read the integers; others keep the exact numbers. */
  #quantizeInput(value: Value, parameters: QuantizationParameters): void {
    const reader = value.consumers[0];
    if (reader?.graph === undefined) return;
    const graph = graphOf(value, reader.graph);
    const constants = this.#writer.scaleAndZeroPoint(graph, parameters);
    const quantize = this.#writer.quantizeLinear(value, constants, parameters);
    const { producer } = value;
    const { insertions } = this.#writer;
    const insert = (...nodes: readonly Node[]) =>
      producer === undefined ? insertions.first(graph, ...nodes) : insertions.after(producer, ...nodes);
    insert(quantize);
    this.#quantized.set(value, { value: quantize.output(), constants, parameters, restored: new Map(), graph, insert });
  }

  #readQuantized({ node, operator }: PlannedNode): void {
    for (const index of operator.data) {
      const value = node.input(index);
      const quantized = value === undefined ? undefined : this.#quantized.get(value);
      if (quantized !== undefined && node.graph !== undefined)
        node.setInput(index, this.#restore(quantized, node.graph));
    }
  }

  /** A DequantizeLinear in the reader's own graph: onnxruntime fuses nothing across graphs. */
  #restore({ value, constants, parameters, restored, ...place }: Quantized, graph: Graph): Value {
    const known = restored.get(graph);
    if (known !== undefined) return known;
    const output = new Value(this.#writer.freshName(`${parameters.tensor}_dequantized`), {
      kind: 'tensor',
      elementType: 'float32',
      shape: value.type?.kind === 'tensor' ? value.type.shape : undefined,
    });
    const node = this.#writer.dequantizeLinear(value, constants, parameters, output);
    if (place.graph === graph) place.insert(node);
    else this.#writer.insertions.first(graph, node);
    restored.set(graph, output);
    return output;
  }

  /** Clamps that QuantizeLinear does anyway, by cutting off at the lowest and highest integer. */
  #absorbedClamps() {
    const nodes = new Set<Node>();
    const inputs = new Set<Value>();
    const byOutput = new Map<Value, Node>();
    for (const value of this.#layout.values.keys()) {
      const clamp = this.#layout.clampOf(value);
      const producer = this.#layout.producerOf(value);
      if (clamp === undefined || producer === undefined || producer.node.graph !== clamp.node.graph) continue;
      if (producer.operator.output !== 'own' || nodes.has(producer.node)) continue;
      const output = clamp.node.output();
      const parameters = this.#parameters.get(output);
      if (parameters === undefined || !this.#layout.values.has(output) || !absorbs(parameters, clamp.node)) continue;
      nodes.add(clamp.node);
      inputs.add(value);
      byOutput.set(output, clamp.node);
    }
    return { nodes, inputs, byOutput };
  }
}

/** Whether numbers beyond the clamp's bounds become the lowest and the highest integer without it. */
function absorbs(parameters: QuantizationParameters, clamp: Node): boolean {
  const bounds = clamp.is('Relu') ? { minimum: 0, maximum: Number.POSITIVE_INFINITY } : clipBounds(clamp);
  if (bounds === undefined) return false;
  const { lowest, highest } = fullRange(parameters.dataType);
  const [scale = 1] = parameters.scale;
  const [zeroPoint = 0] = parameters.zeroPoint;
  const quantize = (number: number) => roundHalfToEven(Math.fround(number / scale)) + zeroPoint;
  return quantize(bounds.minimum) <= lowest && quantize(bounds.maximum) >= highest;
}
