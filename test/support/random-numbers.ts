/** Numbers that look random and are the same in every run. */
import { Tensor as RuntimeTensor } from 'onnxruntime-node';

/** Uniform in [low, high). */
export function randomFloats(count: number, seed = 1, low = -1, high = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return low + (high - low) * (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32);
  });
}

/** A float32 tensor of them for onnxruntime. */
export function randomTensor(dims: readonly number[], seed = 1, low = -1, high = 1): RuntimeTensor {
  const count = dims.reduce((product, size) => product * size, 1);
  return new RuntimeTensor('float32', randomFloats(count, seed, low, high), [...dims]);
}

/** Bytes of such numbers. */
export function randomBytes(seed: number, bytes: number): Buffer {
  return Buffer.from(randomFloats(Math.ceil(bytes / 4), seed).buffer, 0, bytes);
}
