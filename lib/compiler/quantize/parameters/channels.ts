/** Elements of a tensor by their position along one axis. */
import type { Tensor } from '../../ir/tensor.js';

/** How a tensor falls into channels: element i belongs to channel floor(i / inner) mod count. */
export interface Channels {
  readonly count: number;
  /** Elements that follow each other in one channel. */
  readonly inner: number;
  /** Times that the channels repeat. */
  readonly outer: number;
}

/** Without an axis the whole tensor is one channel. @throws RangeError for an axis that the dims do not have */
export function channelsOf(dims: readonly number[], axis: number | undefined): Channels {
  const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);
  if (axis === undefined) return { count: 1, inner: product(dims), outer: 1 };
  const count = dims[axis];
  if (count === undefined) throw new RangeError(`a tensor of shape [${dims.join(', ')}] has no axis ${axis}`);
  return { count, inner: product(dims.slice(axis + 1)), outer: product(dims.slice(0, axis)) };
}

/** Calls `visit` with every run of neighbours of one channel. */
export function forEachRun(channels: Channels, visit: (channel: number, start: number, end: number) => void): void {
  const { count, inner, outer } = channels;
  for (let repeat = 0, start = 0; repeat < outer; repeat++) {
    for (let channel = 0; channel < count; channel++, start += inner) visit(channel, start, start + inner);
  }
}

/** Smallest and largest element of each channel; 0 and 0 of one without elements. */
export function channelRanges(tensor: Tensor, axis: number | undefined): { min: Float32Array; max: Float32Array } {
  const channels = channelsOf(tensor.dims, axis);
  const numbers = tensor.typed() as Float32Array;
  const min = new Float32Array(channels.count).fill(
    channels.inner * channels.outer === 0 ? 0 : Number.POSITIVE_INFINITY,
  );
  const max = min.map((value) => -value);
  // Written out, here and in quantizeTensor: a call per run is a call per element where channels are the last axis.
  for (let index = 0; index < numbers.length; ) {
    for (let channel = 0; channel < channels.count; channel++) {
      let low = min[channel] ?? 0;
      let high = max[channel] ?? 0;
      for (const end = index + channels.inner; index < end; index++) {
        const number = numbers[index] ?? 0;
        if (number < low) low = number;
        if (number > high) high = number;
      }
      min[channel] = low;
      max[channel] = high;
    }
  }
  return { min, max };
}

/** Tensors never change, and searches ask of each many times. */
const finite = new WeakMap<Tensor, boolean>();

/** Whether a float32 tensor holds no NaN and no infinity; read once. */
export function isFiniteTensor(tensor: Tensor): boolean {
  const known = finite.get(tensor);
  if (known !== undefined) return known;
  const answer = (tensor.typed() as Float32Array).every(Number.isFinite);
  finite.set(tensor, answer);
  return answer;
}
