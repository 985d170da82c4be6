/** Made-up inputs for a model: the same on every machine, so that a comparison can be repeated. */
import type { Dimension, TensorSignature } from '../../artifact/manifest.js';
import type { TypedElements } from '../ir/tensor.js';
import type { RuntimeTensor } from './session.js';

export interface SampleInputOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Size for dimensions that are not fixed. Default 1. */
  readonly dynamicSize?: number;
}

/** Floats uniform in [-1, 1), whole numbers 0 and 1 (indices and flags that most models accept), texts empty. */
export function sampleInputs(
  inputs: readonly TensorSignature[],
  options: SampleInputOptions = {},
): Record<string, RuntimeTensor> {
  const random = randomNumbers(options.seed ?? 1);
  const size = (dimension: Dimension) => (typeof dimension === 'number' ? dimension : (options.dynamicSize ?? 1));
  return Object.fromEntries(
    inputs.map(({ name, dataType, shape }) => {
      const dims = (shape ?? []).map(size);
      const count = dims.reduce((product, dim) => product * dim, 1);
      return [name, { dataType, dims, data: elements(dataType, count, random) }];
    }),
  );
}

function elements(
  dataType: TensorSignature['dataType'],
  count: number,
  random: () => number,
): TypedElements | string[] {
  const bit = () => (random() < 0.5 ? 0 : 1);
  switch (dataType) {
    case 'float32':
      return Float32Array.from({ length: count }, () => random() * 2 - 1);
    case 'float64':
      return Float64Array.from({ length: count }, () => random() * 2 - 1);
    case 'float16':
      // Bits of 0.5 and 1: enough for a comparison, and exact.
      return Uint16Array.from({ length: count }, () => (bit() === 0 ? 0x3800 : 0x3c00));
    case 'int64':
      return BigInt64Array.from({ length: count }, () => BigInt(bit()));
    case 'uint64':
      return BigUint64Array.from({ length: count }, () => BigInt(bit()));
    case 'int32':
      return Int32Array.from({ length: count }, bit);
    case 'uint32':
      return Uint32Array.from({ length: count }, bit);
    case 'int16':
      return Int16Array.from({ length: count }, bit);
    case 'uint16':
      return Uint16Array.from({ length: count }, bit);
    case 'int8':
      return Int8Array.from({ length: count }, bit);
    case 'uint8':
    case 'bool':
      return Uint8Array.from({ length: count }, bit);
    case 'string':
      return Array.from({ length: count }, () => '');
  }
}

/** Uniform in [0, 1), the same on every machine: mulberry32, 32 bits of state, enough to fill tensors. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
