/**
 * Cross-layer equalization (Nagel et al., arXiv 1906.04721): between two layers with nothing but an operator in between that scales with
 * its input, channels are scaled so that the weights that write a channel are as large as those that read it. One scale then serves a whole
 * tensor, of weights and of the values in between; what the model computes stays the same but for rounding.
 */
import type { Model } from '../../ir/model.js';
import type { Tensor } from '../../ir/tensor.js';
import { LINEAR_OPERATORS, type LinearNode, linearNodeOf } from '../../passes/linear-node.js';
import { divideOutputs, multiplyInputs, type Readers, readersOf, WorkingWeights } from './channel-scaling.js';

export interface EqualizationOptions {
  /** float32 weights that replace the model's, by name. */
  readonly weights?: ReadonlyMap<string, Tensor>;
  /** Factors that are powers of two change no result at all, and equalize to a factor of √2. Default false. */
  readonly powersOfTwo?: boolean;
}

export interface Equalization {
  /** Those of the options, with the changed ones in their place and added. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Values whose channels were scaled, and the largest ratio of two factors of each. */
  readonly equalized: readonly { readonly value: string; readonly spread: number }[];
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

interface Pair {
  readonly writer: LinearNode;
  readonly readers: Readers;
  readonly factors: Float64Array;
}

/** Each sweep spreads what a pair evened out to its neighbours. */
const SWEEPS = 40;
/** A sweep that changes no factor by more than this is the last. */
const SETTLED = 1e-3;
/** Beyond it a channel is as good as dead, and float32 would suffer. */
const LARGEST_FACTOR = 1e6;

/** Looks at the main graph of a normalized model, and changes nothing of it. */
export function equalize(model: Model, options: EqualizationOptions = {}): Equalization {
  const before = options.weights ?? new Map<string, Tensor>();
  const { pairs, declined } = pairsOf(model);
  const working = new WorkingWeights(before);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let largest = 0;
    for (const pair of pairs) largest = Math.max(largest, even(pair, working, options.powersOfTwo ?? false));
    if (largest < SETTLED) break;
  }
  const changed = working.changed();
  if (typeof changed === 'string') {
    return {
      weights: before,
      equalized: [],
      declined: [{ node: changed, reason: 'the scaled weights leave float32' }],
    };
  }
  const equalized = pairs
    .map(({ writer, factors }) => ({
      value: writer.node.output().name,
      spread: Math.max(...factors) / Math.min(...factors),
    }))
    .filter(({ spread }) => spread > 1);
  return { weights: equalized.length === 0 ? before : new Map([...before, ...changed]), equalized, declined };
}

function pairsOf(model: Model): { readonly pairs: readonly Pair[]; readonly declined: Equalization['declined'] } {
  const pairs: Pair[] = [];
  const declined: { node: string; reason: string }[] = [];
  for (const node of model.graph.nodes) {
    if (!node.is(...LINEAR_OPERATORS)) continue;
    const writer = linearNodeOf(node);
    const readers =
      typeof writer === 'string' ? writer : readersOf(node.output(), writer.outputChannels, writer.channelAxisFromEnd);
    if (typeof writer === 'string' || typeof readers === 'string') {
      declined.push({ node: node.describe(), reason: typeof readers === 'string' ? readers : String(writer) });
      continue;
    }
    // A bias of one number for all channels cannot be scaled channel by channel.
    const bias = node.constantInput(2);
    if (bias !== undefined && bias.count !== writer.outputChannels) {
      declined.push({ node: node.describe(), reason: 'its bias is one number for all channels' });
    } else pairs.push({ writer, readers, factors: new Float64Array(writer.outputChannels).fill(1) });
  }
  return { pairs, declined };
}

/** @returns how far the farthest factor is from 1 */
function even({ writer, readers, factors }: Pair, working: WorkingWeights, powersOfTwo: boolean): number {
  const written = ranges(working.of(writer.node, 1), writer.outputChannels, (index) => writer.outputChannelOf(index));
  const read = new Float64Array(writer.outputChannels);
  for (const linear of readers.linear) {
    const own = ranges(working.of(linear.node, 1), read.length, (index) => linear.inputChannelOf(index));
    for (const [channel, range] of own.entries()) read[channel] = Math.max(read[channel] ?? 0, range);
  }
  let largest = 0;
  const step = Float64Array.from(written, (range, channel) => {
    const other = read[channel] ?? 0;
    if (range === 0 || other === 0) return 1;
    const wanted = Math.sqrt(range / other);
    const factor = powersOfTwo ? 2 ** Math.round(Math.log2(wanted)) : wanted;
    const total = (factors[channel] ?? 1) * factor;
    if (!(total < LARGEST_FACTOR && total > 1 / LARGEST_FACTOR)) return 1;
    factors[channel] = total;
    largest = Math.max(largest, Math.abs(factor - 1));
    return factor;
  });
  if (largest === 0) return 0;
  divideOutputs(working, writer, step);
  multiplyInputs(working, readers, step);
  return largest;
}

/** The largest magnitude of each channel. */
function ranges(weights: Float64Array, channels: number, channelOf: (index: number) => number): Float64Array {
  const largest = new Float64Array(channels);
  for (let index = 0; index < weights.length; index++) {
    const channel = channelOf(index);
    largest[channel] = Math.max(largest[channel] ?? 0, Math.abs(weights[index] ?? 0));
  }
  return largest;
}
