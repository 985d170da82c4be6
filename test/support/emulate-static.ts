/**
 * What a statically quantized model must return, computed without it: the float32 model node by node, with plain rounding in
 * JavaScript in front of every quantized node and behind it, and on its weights.
 */
import type { QuantizationParameters, StaticRecipe } from '../../lib/artifact/recipe.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import type { Node } from '../../lib/compiler/ir/node.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import type { Value } from '../../lib/compiler/ir/value.js';
import { evaluateNode } from './evaluate-node.js';

/** What is written for one value of the float32 model. */
interface Written {
  readonly parameters: QuantizationParameters;
  /** Everybody reads the rounded numbers, not only quantized nodes. */
  readonly isOutput: boolean;
}

export interface Emulation {
  readonly recipe: StaticRecipe;
  /** Names of the first outputs of the nodes that are quantized. */
  readonly quantized: ReadonlySet<string>;
}

/** @param original the float32 model @param written the quantized one, asked only for the parameters of its activations */
export async function emulateStatic(
  original: Model,
  written: Model,
  { recipe, quantized }: Emulation,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const names = new Set<string>();
  for (const value of original.graph.inputs) names.add(value.name);
  for (const node of original.graph.nodes)
    for (const value of node.outputs) if (value !== undefined) names.add(value.name);
  const activations = writtenActivations(written, names);
  const exact = new Map<Value, Tensor>();
  for (const value of original.graph.inputs) {
    const feed = feeds[value.name] ?? value.initializer;
    if (feed !== undefined) exact.set(value, feed);
  }
  const rounded = (value: Value) => {
    const known = activations.get(value.name);
    const tensor = exactOf(value);
    return known === undefined ? tensor : fakeQuantize(tensor, known.parameters);
  };
  const seen = (value: Value) => (activations.get(value.name)?.isOutput === true ? rounded(value) : exactOf(value));
  function exactOf(value: Value): Tensor {
    const tensor = exact.get(value) ?? value.initializer;
    if (tensor === undefined) throw new Error(`'${value.name}' was not computed`);
    return tensor;
  }

  for (const node of original.graph.nodes) {
    const isQuantized = quantized.has(node.outputs[0]?.name ?? '');
    const constants = isQuantized ? quantizedConstants(node, recipe, activations) : new Map<number, Tensor>();
    const outputs = await evaluateNode(original, node, (value, index) => {
      const constant = index === undefined ? undefined : constants.get(index);
      if (constant !== undefined) return constant;
      return isQuantized && index !== undefined ? rounded(value) : seen(value);
    });
    const values = node.outputs.filter((value) => value !== undefined);
    for (const [index, value] of values.entries()) exact.set(value, outputs[index] as Tensor);
  }
  return Object.fromEntries(original.graph.outputs.map((value) => [value.name, seen(value)]));
}

/** Parameters by the float32 model's names, from the QuantizeLinear nodes of the main graph. */
function writtenActivations({ graph }: Model, names: ReadonlySet<string>): Map<string, Written> {
  const found = new Map<string, Written>();
  for (const node of graph.nodes) {
    if (node.opType !== 'QuantizeLinear') continue;
    const dequantized = node.output().consumers.filter(({ opType }) => opType === 'DequantizeLinear');
    const through = dequantized.map((consumer) => consumer.output().name).find((name) => names.has(name));
    const name = through ?? node.input(0)?.name ?? '';
    const [scale, zeroPoint] = [node.constantInput(1), node.constantInput(2)];
    if (scale === undefined || zeroPoint === undefined) throw new Error('a scale is not constant');
    const parameters = {
      tensor: name,
      dataType: zeroPoint.elementType as QuantizationParameters['dataType'],
      scale: scale.numbers(),
      zeroPoint: zeroPoint.numbers(),
    };
    found.set(name, { parameters, isOutput: through !== undefined });
  }
  return found;
}

const BOUNDS: Readonly<Record<string, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** Half to even, by the book. */
function round(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return floor + (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? 1 : 0);
}

/** No integer stands for NaN: what QuantizeLinear makes of it is left open. */
export class NotANumberError extends Error {}

export function fakeQuantize(tensor: Tensor, { dataType, scale, zeroPoint }: QuantizationParameters): Tensor {
  const [lowest, highest] = BOUNDS[dataType] ?? [0, 0];
  const [step = 1] = scale;
  const [zero = 0] = zeroPoint;
  const numbers = tensor.numbers().map((number) => {
    if (Number.isNaN(number)) throw new NotANumberError();
    const integer = Math.min(highest, Math.max(lowest, round(Math.fround(number / step)) + zero));
    return (integer - zero) * step;
  });
  return Tensor.fromNumbers('float32', tensor.dims, numbers);
}

/** Weight, bias and constant operands of a quantized node as its kernel sees them, by input. */
function quantizedConstants(
  node: Node,
  recipe: StaticRecipe,
  activations: ReadonlyMap<string, Written>,
): Map<number, Tensor> {
  const constants = new Map<number, Tensor>();
  const parameters = activations.get(node.input(0)?.name ?? '')?.parameters;
  const is8Bit = recipe.activations.endsWith('int8');
  if (node.is('Conv', 'Gemm', 'MatMul', 'ConvTranspose')) {
    const weight = node.constantInput(1);
    const inputScale = parameters?.scale[0] ?? 1;
    let scales: number[] = activations.get(node.input(1)?.name ?? '')?.parameters.scale.slice() ?? [1];
    if (weight !== undefined) {
      const axis = recipe.perChannel ? axisOf(node, weight) : undefined;
      // The written Gemm has alpha and beta in its constants: in the emulation they come on top.
      const alpha = node.is('Gemm') ? node.float('alpha', 1) : 1;
      const times = scaled(weight, alpha);
      scales = scalesOf(times, axis, recipe);
      constants.set(1, scaled(roundWeight(times, axis, scales, recipe), 1 / alpha));
    }
    const bias = node.is('MatMul') ? undefined : expanded(node.constantInput(2), node, weight);
    if (
      bias !== undefined &&
      is8Bit &&
      !node.is('ConvTranspose') &&
      (scales.length === 1 || scales.length === bias.count)
    ) {
      const beta = node.is('Gemm') ? node.float('beta', 1) : 1;
      const numbers = scaled(bias, beta)
        .numbers()
        .map((number, channel) => {
          const step = Math.fround(inputScale * (scales[scales.length === 1 ? 0 : channel] ?? 1));
          return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), round(number / step))) * step;
        });
      constants.set(2, scaled(Tensor.fromNumbers('float32', bias.dims, numbers), 1 / beta));
    }
  }
  const elementwise =
    node.is('Add', 'Mul', 'Concat', 'Where') || (node.is('MatMul') && node.constantInput(0) !== undefined);
  for (const [index, value] of node.inputs.entries()) {
    const tensor = node.constantInput(index);
    if (!elementwise || constants.has(index) || value === undefined || tensor?.elementType !== 'float32') continue;
    if (is8Bit) constants.set(index, roundOperand(tensor, recipe));
  }
  return constants;
}

function scaled(tensor: Tensor, factor: number): Tensor {
  if (factor === 1) return tensor;
  return Tensor.fromNumbers(
    'float32',
    tensor.dims,
    tensor.numbers().map((number) => number * factor),
  );
}

function expanded(bias: Tensor | undefined, node: Node, weight: Tensor | undefined): Tensor | undefined {
  const channels = weight?.dims[node.int('transB', 0) === 1 ? 0 : 1] ?? 1;
  if (bias === undefined || !node.is('Gemm') || bias.count !== 1) return bias;
  return Tensor.fromNumbers('float32', [channels], Array(channels).fill(bias.numbers()[0]));
}

function axisOf(node: Node, weight: Tensor): number | undefined {
  if (node.is('Conv')) return 0;
  if (node.is('ConvTranspose')) return 1;
  if (node.is('Gemm')) return node.int('transB', 0) === 1 ? 0 : 1;
  return weight.dims.length === 2 ? 1 : undefined;
}

function channelOf(dims: readonly number[], axis: number | undefined, index: number): number {
  if (axis === undefined) return 0;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  return Math.floor(index / inner) % (dims[axis] ?? 1);
}

/** [scale, zero point] pairs are symmetric but for an unsigned tensor as a whole. */
function scalesOf(weight: Tensor, axis: number | undefined, recipe: StaticRecipe): number[] {
  const count = axis === undefined ? 1 : (weight.dims[axis] ?? 1);
  const [low, high] = [new Float64Array(count), new Float64Array(count)];
  for (const [index, number] of weight.numbers().entries()) {
    const channel = channelOf(weight.dims, axis, index);
    low[channel] = Math.min(low[channel] ?? 0, number);
    high[channel] = Math.max(high[channel] ?? 0, number);
  }
  const signed = recipe.weights === 'int8';
  const steps = recipe.reduceRange ? (signed ? 128 : 127) : signed ? 254 : 255;
  return Array.from(low, (min, channel) => {
    const max = high[channel] ?? 0;
    const width = signed || axis !== undefined ? 2 * Math.max(-min, max) : Math.fround(max - min);
    return width === 0 ? 1 : Math.fround(width / steps);
  });
}

function roundWeight(
  weight: Tensor,
  axis: number | undefined,
  scales: readonly number[],
  recipe: StaticRecipe,
): Tensor {
  const signed = recipe.weights === 'int8';
  const numbers = weight.numbers();
  const min = numbers.reduce((low, number) => Math.min(low, number), 0);
  const max = numbers.reduce((high, number) => Math.max(high, number), 0);
  const steps = recipe.reduceRange ? 127 : 255;
  const middle = round(steps / 2);
  const width = Math.fround(max - min) / steps;
  const zero = signed ? 0 : axis === undefined ? (width === 0 ? 0 : round(-min / width)) : middle;
  const [lowest, highest] = signed ? [-128, 127] : [0, 255];
  return Tensor.fromNumbers(
    'float32',
    weight.dims,
    numbers.map((number, index) => {
      const step = scales[channelOf(weight.dims, axis, index)] ?? 1;
      return (Math.min(highest, Math.max(lowest, round(Math.fround(number / step)) + zero)) - zero) * step;
    }),
  );
}

/** A constant next to an activation: the whole range of its own numbers. */
function roundOperand(tensor: Tensor, recipe: StaticRecipe): Tensor {
  const numbers = tensor.numbers();
  const min = numbers.reduce((low, number) => Math.min(low, number), 0);
  const max = numbers.reduce((high, number) => Math.max(high, number), 0);
  const signed = recipe.activations === 'int8';
  const [lowest, highest] = recipe.reduceRange ? (signed ? [-64, 64] : [0, 127]) : signed ? [-128, 127] : [0, 255];
  const width = Math.fround(max - min) / (highest - lowest);
  if (width === 0)
    return fakeQuantize(tensor, { tensor: '', dataType: recipe.activations, scale: [1], zeroPoint: [0] });
  const zeroPoint = [round(lowest - min / width)];
  return fakeQuantize(tensor, { tensor: '', dataType: recipe.activations, scale: [Math.fround(width)], zeroPoint });
}
