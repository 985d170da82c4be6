/** What a product loses when its inputs become uint8 and its weights int8, on a few rows and a few output channels. */
import { roundHalfToEven } from '../parameters/rounding.js';
import type { SampledReader } from './sampled-readers.js';

/** Output channels that are looked at, evenly spread. */
const CHANNELS = 48;
const LARGEST_WEIGHT = 127;
const LARGEST_ACTIVATION = 255;

/**
 * Σ (quantized - exact)² over the sampled rows, relative to the mean square of the exact products, with inputs divided and weights
 * multiplied by factors per input channel.
 * @param weights in the order of the tensor
 */
export function productError(
  sample: SampledReader,
  weights: Float64Array,
  factors: Float64Array,
  perChannel: boolean,
): number {
  const { matrix, rows } = sample;
  const { depth, rowsPerGroup, indexOf } = matrix;
  const scale = activationScale(sample, factors);
  const step = Math.max(1, Math.floor(matrix.rows / CHANNELS));
  const shared = perChannel ? undefined : largestWeight(sample, weights, factors) / LARGEST_WEIGHT;
  let [error, energy] = [0, 0];
  for (let row = 0; row < matrix.rows; row += step) {
    const group = Math.floor(row / rowsPerGroup);
    const exact = new Float64Array(depth);
    const scaled = new Float64Array(depth);
    const divisor = new Float64Array(depth);
    let largest = 0;
    for (let k = 0; k < depth; k++) {
      const factor = factors[sample.channelOf(group, k)] ?? 1;
      const weight = weights[indexOf(row, k)] ?? 0;
      exact[k] = weight;
      scaled[k] = weight * factor;
      divisor[k] = 1 / (factor * scale);
      largest = Math.max(largest, Math.abs(weight * factor));
    }
    const weightScale = shared ?? largest / LARGEST_WEIGHT;
    if (weightScale === 0) continue;
    for (let k = 0; k < depth; k++) scaled[k] = roundHalfToEven((scaled[k] ?? 0) / weightScale) * weightScale * scale;
    for (const x of rows[group] ?? []) {
      let [wanted, got] = [0, 0];
      for (let k = 0; k < depth; k++) {
        const value = x[k] as number;
        wanted += value * (exact[k] as number);
        got += roundHalfToEven(value * (divisor[k] as number)) * (scaled[k] as number);
      }
      error += (wanted - got) ** 2;
      energy += wanted ** 2;
    }
  }
  return energy > 0 ? error / energy : 0;
}

/** The step of uint8 over all that the inputs take on, 0 included. */
function activationScale({ highest, lowest }: SampledReader, factors: Float64Array): number {
  let [top, bottom] = [0, 0];
  for (const [channel, factor] of factors.entries()) {
    top = Math.max(top, (highest[channel] ?? 0) / factor);
    bottom = Math.min(bottom, (lowest[channel] ?? 0) / factor);
  }
  return top === bottom ? 1 : (top - bottom) / LARGEST_ACTIVATION;
}

function largestWeight({ linear }: SampledReader, weights: Float64Array, factors: Float64Array): number {
  let largest = 0;
  for (let index = 0; index < weights.length; index++) {
    largest = Math.max(largest, Math.abs((weights[index] ?? 0) * (factors[linear.inputChannelOf(index)] ?? 1)));
  }
  return largest;
}
