/** Moves a factor per channel from where a value is computed to where it is read: what comes out of the model stays the same. */
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import { constantBehind } from '../../passes/inferred-type.js';
import { LINEAR_OPERATORS, type LinearNode, linearNodeOf } from '../../passes/linear-node.js';
import { slotOf, tensorOf } from './weight-slots.js';

/** f(c · x) = c · f(x) for c > 0, channel by channel. */
const HOMOGENEOUS = [
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
  'LeakyRelu',
  'MaxPool',
  'Relu',
] as const;

export interface Readers {
  /** The linear operators at the end of every way from a value. */
  readonly linear: readonly LinearNode[];
  /** Additions of a constant with a number per channel on the way. */
  readonly additions: readonly { readonly node: Node; readonly index: number }[];
}

/** Who reads a value of `channels` channels, through operators that a factor per channel passes. A string says what is in the way. */
export function readersOf(value: Value, channels: number, channelAxisFromEnd: number): Readers | string {
  const linear: LinearNode[] = [];
  const additions: { node: Node; index: number }[] = [];
  const pending = [value];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    if (current.isGraphOutput) return `'${current.name}' is an output of the graph`;
    for (const use of current.uses) {
      if (use.kind === 'output') continue;
      const { node, index } = use;
      if (node.graph !== value.producer?.graph) return `${node.describe()} stands in another graph`;
      if (node.is(...LINEAR_OPERATORS)) {
        const reader = index === 0 ? linearNodeOf(node) : `${node.describe()} reads '${current.name}' as its weights`;
        if (typeof reader === 'string') return reader;
        const fits = reader.inputChannels === channels && reader.channelAxisFromEnd === channelAxisFromEnd;
        if (!fits) return `the channels of ${node.describe()} are not those of '${value.name}'`;
        linear.push(reader);
      } else if (index === 0 && passes(node)) pending.push(node.output());
      else if (node.is('Add') && isPerChannel(node, 1 - index, channels, channelAxisFromEnd)) {
        additions.push({ node, index: 1 - index });
        pending.push(node.output());
      } else return `${node.describe()} does not let a factor per channel pass`;
    }
  }
  return linear.length === 0 ? `nobody multiplies '${value.name}' by weights` : { linear, additions };
}

function passes(node: Node): boolean {
  if (node.is('MaxPool') && node.outputs[1] !== undefined) return false;
  if (node.is('PRelu')) return constantBehind(node, 1) !== undefined;
  return node.is(...HOMOGENEOUS);
}

/** Whether a constant has one number for each channel and repeats along everything else. */
export function isPerChannel(node: Node, index: number, channels: number, axisFromEnd: number): boolean {
  const constant = node.constantInput(index);
  if (constant?.elementType !== 'float32' || constant.count !== channels) return false;
  return constant.dims[constant.dims.length - axisFromEnd] === channels;
}

/** float32 constants on their way to new values: computed in double precision and rounded once. */
export class WorkingWeights {
  readonly #numbers = new Map<string, { readonly dims: readonly number[]; readonly numbers: Float64Array }>();
  readonly #weights: ReadonlyMap<string, Tensor>;

  /** @param weights that replace the model's */
  constructor(weights: ReadonlyMap<string, Tensor>) {
    this.#weights = weights;
  }

  /** To be read and changed; the constant behind input `index` must be float32. */
  of(node: Node, index: number): Float64Array {
    const slot = slotOf(node, index);
    const known = this.#numbers.get(slot);
    if (known !== undefined) return known.numbers;
    const tensor = tensorOf(node, index, this.#weights);
    if (tensor === undefined) throw new TypeError(`input ${index} of ${node.describe()} is not constant`);
    const numbers = Float64Array.from(tensor.typed() as Float32Array);
    this.#numbers.set(slot, { dims: tensor.dims, numbers });
    return numbers;
  }

  /** Those that differ from what they were, as a plan takes them. A string names one that left float32. */
  changed(): Map<string, Tensor> | string {
    const changed = new Map<string, Tensor>();
    for (const [slot, { dims, numbers }] of this.#numbers) {
      const rounded = Float32Array.from(numbers);
      if (!rounded.every(Number.isFinite)) return slot;
      changed.set(slot, Tensor.fromTyped('float32', dims, rounded));
    }
    return changed;
  }
}

/** Divides what a linear operator computes by a factor per output channel: weights and bias. */
export function divideOutputs(working: WorkingWeights, linear: LinearNode, factors: Float64Array): void {
  const weights = working.of(linear.node, 1);
  for (let index = 0; index < weights.length; index++) {
    weights[index] = (weights[index] ?? 0) / (factors[linear.outputChannelOf(index)] ?? 1);
  }
  if (linear.bias === undefined) return;
  const bias = working.of(linear.node, 2);
  for (let channel = 0; channel < bias.length; channel++)
    bias[channel] = (bias[channel] ?? 0) / (factors[channel] ?? 1);
}

/** Multiplies what a value's readers multiply it with by a factor per channel, and divides what is added to it on the way. */
export function multiplyInputs(working: WorkingWeights, readers: Readers, factors: Float64Array): void {
  for (const { node, index } of readers.additions) {
    const numbers = working.of(node, index);
    for (let channel = 0; channel < numbers.length; channel++) {
      numbers[channel] = (numbers[channel] ?? 0) / (factors[channel] ?? 1);
    }
  }
  for (const linear of readers.linear) {
    const weights = working.of(linear.node, 1);
    for (let index = 0; index < weights.length; index++) {
      weights[index] = (weights[index] ?? 0) * (factors[linear.inputChannelOf(index)] ?? 1);
    }
  }
}
