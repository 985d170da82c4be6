/**
 * The mean error of quantized layers, channel by channel: a float32 twin is put beside each in the quantized model, and the difference is
 * averaged inside of the graph, so that a number per channel is all that leaves it.
 */

import type { DataSet } from '../../data/data-set.js';
import { attribute } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { sortTopologically } from '../../ir/traversal.js';
import { Value } from '../../ir/value.js';
import type { LinearNode } from '../../passes/linear-node.js';
import { type StreamOptions, streamValues } from './stream-values.js';

export interface MeasuredLayer {
  /** Of the model before it was quantized. */
  readonly linear: LinearNode;
  /** float32. */
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
}

export interface MeanErrors {
  /** By the node's first output: quantized minus float32, a number per output channel. Means that samples do not agree on are drawn to 0. */
  readonly errors: ReadonlyMap<string, Float64Array>;
  /** Layers that the quantized model does not show. */
  readonly unseen: readonly { readonly node: string; readonly reason: string }[];
}

/** @param quantized is changed: twins are added to it */
export async function measureMeanErrors(
  quantized: Model,
  layers: readonly MeasuredLayer[],
  data: DataSet,
  options: StreamOptions = {},
): Promise<MeanErrors> {
  const unseen: { node: string; reason: string }[] = [];
  const means = new Map<string, { readonly output: string; readonly moments: Moments }>();
  const values = valuesByName(quantized.graph);
  for (const layer of layers) {
    const name = layer.linear.node.output().name;
    const mean = addTwin(quantized, values, layer);
    if (typeof mean === 'string') unseen.push({ node: layer.linear.node.describe(), reason: mean });
    else means.set(mean.name, { output: name, moments: new Moments(layer.linear.outputChannels) });
  }
  if (means.size === 0) return { errors: new Map(), unseen };
  sortTopologically(quantized.graph);
  for await (const { values: measured } of streamValues(quantized, [...means.keys()], data, options)) {
    for (const [name, { data: numbers }] of measured) {
      if (numbers instanceof Float32Array) means.get(name)?.moments.add(numbers);
    }
  }
  const errors = new Map<string, Float64Array>();
  for (const { output, moments } of means.values()) {
    if (moments.count > 0) errors.set(output, moments.shrunkenMeans());
  }
  return { errors, unseen };
}

function valuesByName(graph: Graph): Map<string, Value> {
  const values = new Map(graph.inputs.map((value) => [value.name, value]));
  for (const node of graph.nodes) {
    for (const value of node.outputs) if (value !== undefined) values.set(value.name, value);
  }
  return values;
}

/**
 * What a value was before it was quantized itself: a range that ends where a Relu cuts off clips what the Relu would, and a bias must not
 * make up for that.
 */
function exactValue(value: Value | undefined): Value | undefined {
  const restoring = value?.producer;
  if (restoring?.opType !== 'DequantizeLinear') return value;
  const quantizing = restoring.input(0)?.producer;
  return quantizing?.opType === 'QuantizeLinear' ? quantizing.input(0) : value;
}

/** @returns the value that holds the means; a string says what is missing */
function addTwin(
  model: Model,
  values: ReadonlyMap<string, Value>,
  { linear, weight, bias }: MeasuredLayer,
): Value | string {
  const { node } = linear;
  const x = values.get(node.input(0)?.name ?? '');
  const y = exactValue(values.get(node.output().name));
  if (x === undefined || y?.producer?.graph !== model.graph)
    return 'its input or output is gone from the quantized model';
  const { graph } = model;
  const name = (suffix: string) => model.freshName(`${node.output().name}_${suffix}`);
  const inputs = [x, graph.addInitializer(name('twin_weight'), weight)];
  if (bias !== undefined) inputs.push(graph.addInitializer(name('twin_bias'), bias));
  const twin = new Value(name('twin'));
  const [error, flat, mean] = [new Value(name('error')), new Value(name('flat')), new Value(name('mean'))];
  const isConvolution = node.is('Conv', 'ConvTranspose');
  // [batch, channels, everything else], or rows of channels.
  const shape = Tensor.int64(isConvolution ? [0, linear.outputChannels, -1] : [-1, linear.outputChannels]);
  const axes = isConvolution ? [0, 2] : [0];
  const axesInInput = model.opset >= 18;
  graph.append(
    new Node(node.opType, inputs, [twin], { attributes: node.attributes }),
    new Node('Sub', [y, twin], [error]),
    new Node('Reshape', [error, graph.addInitializer(name('flat_shape'), shape)], [flat]),
    new Node(
      'ReduceMean',
      axesInInput ? [flat, graph.addInitializer(name('axes'), Tensor.int64(axes))] : [flat],
      [mean],
      { attributes: { keepdims: attribute.int(0), ...(axesInInput ? {} : { axes: attribute.ints(axes) }) } },
    ),
  );
  mean.type = { kind: 'tensor', elementType: 'float32', shape: [linear.outputChannels] };
  return mean;
}

/** Mean and spread over runs, channel by channel. */
class Moments {
  count = 0;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;

  constructor(channels: number) {
    this.#sums = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** Runs without a finite mean (of no elements, for example) do not count. */
  add(means: Float32Array): void {
    if (!means.every(Number.isFinite)) return;
    this.count++;
    for (const [channel, mean] of means.entries()) {
      this.#sums[channel] = (this.#sums[channel] ?? 0) + mean;
      this.#squares[channel] = (this.#squares[channel] ?? 0) + mean ** 2;
    }
  }

  /** Means times the part of their square that is not chance: 1 - (standard error / mean)², at least 0. */
  shrunkenMeans(): Float64Array {
    const { count } = this;
    return this.#sums.map((sum, channel) => {
      const mean = sum / count;
      if (count < 2 || mean === 0) return mean;
      const variance = Math.max(0, ((this.#squares[channel] ?? 0) - count * mean ** 2) / (count - 1));
      return mean * Math.max(0, 1 - variance / count / mean ** 2);
    });
  }
}
