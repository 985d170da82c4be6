/**
 * Smoothing (SmoothQuant, Xiao et al., arXiv 2211.10438): channels of an activation with outliers are divided by a factor where they are
 * written, and the weights that read them multiplied by it. One scale for all channels of the activation then loses less; weights can bear
 * more. How far to go is decided for each activation by the error of the products that read it.
 */
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import { LINEAR_OPERATORS, linearNodeOf } from '../../passes/linear-node.js';
import {
  divideOutputs,
  isPerChannel,
  multiplyInputs,
  type Readers,
  readersOf,
  WorkingWeights,
} from './channel-scaling.js';
import { productError } from './product-error.js';
import { type SampledReader, sampleReaders } from './sampled-readers.js';
import type { StreamOptions } from './stream-values.js';
import { withWeights } from './weight-slots.js';

export interface SmoothingOptions extends StreamOptions {
  /** float32 weights that replace the model's, by name. */
  readonly weights?: ReadonlyMap<string, Tensor>;
  /**
   * Whether weights are to have a scale per output channel. Default true. If not, layers are left to equalization, and only normalizations
   * and scales give way: one scale for the weights of a layer would suffer from what its channels are divided by.
   */
  readonly perChannel?: boolean;
}

export interface SmoothedValue {
  /** What is divided channel by channel. */
  readonly value: string;
  /** How much of the spread of the activation's channels went to the weights: 0 none, 1 all. */
  readonly alpha: number;
  /** 10 · log10 of the error of the products that read it, before over after, in dB. */
  readonly gain: number;
}

export interface Smoothing {
  /** Those of the options, with the changed ones in their place and added. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly smoothed: readonly SmoothedValue[];
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

interface Site {
  readonly writer: Node;
  readonly channels: number;
  readonly readers: Readers;
  divide(working: WorkingWeights, factors: Float64Array): void;
}

const ALPHAS = [0.25, 0.4, 0.5, 0.6, 0.75, 0.9];
/** In dB: what is gained must be worth the weights in the lock, and more than the chance of the sample. */
const SMALLEST_GAIN = 1;

/** Looks at the main graph of a normalized model, and changes nothing of it. */
export async function smooth(model: Model, data: DataSet, options: SmoothingOptions = {}): Promise<Smoothing> {
  const before = options.weights ?? new Map<string, Tensor>();
  const perChannel = options.perChannel ?? true;
  const { sites, declined } = sitesOf(model, perChannel);
  const readers = sites.flatMap((site) => site.readers.linear);
  const samples = await sampleReaders(withWeights(model, before), readers, data, options);
  const working = new WorkingWeights(before);
  const smoothed: SmoothedValue[] = [];
  for (const site of sites) {
    options.signal?.throwIfAborted();
    const ofSite = site.readers.linear.map(({ node }) => samples.get(node));
    const known = ofSite.filter((sample) => sample !== undefined);
    if (known.length < ofSite.length || known.length === 0) {
      declined.push({ node: site.writer.describe(), reason: 'the products that read it cannot be sampled' });
      continue;
    }
    const best = search(site, known, working, perChannel);
    if (best === undefined) continue;
    site.divide(working, best.factors);
    multiplyInputs(working, site.readers, best.factors);
    // The samples are of what was there before.
    for (const sample of known) sample.divide(best.factors);
    smoothed.push({ value: site.writer.output().name, alpha: best.alpha, gain: best.gain });
  }
  const changed = working.changed();
  if (typeof changed === 'string') {
    return { weights: before, smoothed: [], declined: [{ node: changed, reason: 'the scaled weights leave float32' }] };
  }
  return { weights: smoothed.length === 0 ? before : new Map([...before, ...changed]), smoothed, declined };
}

function search(site: Site, samples: readonly SampledReader[], working: WorkingWeights, perChannel: boolean) {
  const activation = new Float64Array(site.channels);
  const weight = new Float64Array(site.channels);
  for (const sample of samples) {
    for (const [channel, highest] of sample.highest.entries()) {
      activation[channel] = Math.max(activation[channel] ?? 0, highest, -(sample.lowest[channel] ?? 0));
    }
    const numbers = working.of(sample.linear.node, 1);
    for (let index = 0; index < numbers.length; index++) {
      const channel = sample.linear.inputChannelOf(index);
      weight[channel] = Math.max(weight[channel] ?? 0, Math.abs(numbers[index] ?? 0));
    }
  }
  const errorOf = (factors: Float64Array) =>
    samples.reduce(
      (sum, sample) => sum + productError(sample, working.of(sample.linear.node, 1), factors, perChannel),
      0,
    );
  const usual = errorOf(new Float64Array(site.channels).fill(1));
  let best: { alpha: number; factors: Float64Array; gain: number } | undefined;
  for (const alpha of ALPHAS) {
    const factors = factorsOf(activation, weight, alpha);
    const gain = 10 * Math.log10(usual / errorOf(factors));
    if (gain > Math.max(SMALLEST_GAIN, best?.gain ?? 0)) best = { alpha, factors, gain };
  }
  return best;
}

/** max|x|^α / max|w|^(1-α), their geometric mean 1, so that nothing grows as a whole. */
function factorsOf(activation: Float64Array, weight: Float64Array, alpha: number): Float64Array {
  const logarithms = Float64Array.from(activation, (largest, channel) => {
    const read = weight[channel] ?? 0;
    return largest > 0 && read > 0 ? alpha * Math.log(largest) - (1 - alpha) * Math.log(read) : Number.NaN;
  });
  const known = logarithms.filter((value) => !Number.isNaN(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
  return logarithms.map((value) => (Number.isNaN(value) ? 1 : Math.exp(value - mean)));
}

function sitesOf(
  model: Model,
  perChannel: boolean,
): {
  readonly sites: readonly Site[];
  readonly declined: { node: string; reason: string }[];
} {
  const sites: Site[] = [];
  const declined: { node: string; reason: string }[] = [];
  for (const node of model.graph.nodes) {
    const writer = perChannel || !node.is(...LINEAR_OPERATORS) ? writerOf(node) : undefined;
    if (writer === undefined) continue;
    const readers = readersOf(node.output(), writer.channels, writer.channelAxisFromEnd);
    if (typeof readers === 'string') declined.push({ node: node.describe(), reason: readers });
    else sites.push({ ...writer, writer: node, readers });
  }
  return { sites, declined };
}

/** Operators whose outputs can be divided channel by channel in their constants. */
function writerOf(
  node: Node,
): (Pick<Site, 'channels' | 'divide'> & { readonly channelAxisFromEnd: number }) | undefined {
  if (node.is(...LINEAR_OPERATORS)) {
    const linear = linearNodeOf(node);
    if (typeof linear === 'string') return undefined;
    const bias = node.constantInput(2);
    if (bias !== undefined && bias.count !== linear.outputChannels) return undefined;
    const { outputChannels: channels, channelAxisFromEnd } = linear;
    return { channels, channelAxisFromEnd, divide: (working, factors) => divideOutputs(working, linear, factors) };
  }
  if (node.is('LayerNormalization') && node.int('axis', -1) === -1) {
    const channels = node.constantInput(1)?.count;
    if (channels === undefined || !isPerChannel(node, 1, channels, 1)) return undefined;
    const hasBias = node.input(2) !== undefined;
    if (hasBias && !isPerChannel(node, 2, channels, 1)) return undefined;
    const inputs = hasBias ? [1, 2] : [1];
    return { channels, channelAxisFromEnd: 1, divide: divideConstants(node, inputs) };
  }
  if (node.is('Mul')) {
    const index = node.constantInput(1) === undefined ? 0 : 1;
    const channels = node.constantInput(index)?.count ?? 0;
    // On the last axis: a scale behind a normalization that was not fused.
    if (channels < 2 || !isPerChannel(node, index, channels, 1)) return undefined;
    return { channels, channelAxisFromEnd: 1, divide: divideConstants(node, [index]) };
  }
  return undefined;
}

function divideConstants(node: Node, inputs: readonly number[]): Site['divide'] {
  return (working, factors) => {
    for (const index of inputs) {
      const numbers = working.of(node, index);
      for (let channel = 0; channel < numbers.length; channel++) {
        numbers[channel] = (numbers[channel] ?? 0) / (factors[channel] ?? 1);
      }
    }
  };
}
