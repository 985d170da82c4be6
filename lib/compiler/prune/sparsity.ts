/**
 * Single weights set to zero: by magnitude over all weights, or the smallest of every few (N:M). onnxruntime multiplies with zeros as with
 * anything else, so that nothing gets faster and no file smaller: only a compressed file, a layer's zip for one, does.
 */
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import type { Model } from '../ir/model.js';
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import { linearNodeOf } from '../passes/linear-node.js';

const compress = promisify(deflate);

export interface SparseWeights {
  readonly weights: Map<string, Tensor>;
  /** Numbers in the weights that were looked at, and how many of them are zero before and after. */
  readonly numbers: number;
  readonly zerosBefore: number;
  readonly zerosAfter: number;
  /** Bytes of all float32 constants, deflated tensor by tensor. */
  readonly compressed: { readonly before: number; readonly after: number };
}

/** @param ratio part of the weights to set to zero, the smallest of the whole model first */
export async function pruneByMagnitude(model: Model, ratio: number, signal?: AbortSignal): Promise<SparseWeights> {
  const values = weightsToThin(model);
  const limit = magnitudeAt(values, ratio);
  return await thin(
    model,
    values,
    (numbers) => numbers.map((number) => (Math.abs(number) <= limit ? 0 : number)),
    signal,
  );
}

/** Of every `m` weights in a row that are summed up for one output, the `n` of the greatest magnitude stay. */
export async function pruneNOfM(model: Model, n: number, m: number, signal?: AbortSignal): Promise<SparseWeights> {
  const values = weightsToThin(model);
  return await thin(model, values, (numbers, value) => keepNOfM(numbers, value, n, m), signal);
}

/** float32 weights of linear operators, each once. */
function weightsToThin(model: Model): Value[] {
  const values = new Set<Value>();
  for (const node of model.graph.nodes) {
    const weight = node.input(1);
    if (weight !== undefined && typeof linearNodeOf(node) === 'object') values.add(weight);
  }
  return [...values];
}

const BINS = 65_536;

/** The magnitude that `ratio` of all numbers do not exceed, by the upper half of their bits: exact to 1 in 128, and takes no sorting. */
function magnitudeAt(values: readonly Value[], ratio: number): number {
  const counts = new Float64Array(BINS);
  let total = 0;
  for (const value of values) {
    const numbers = value.initializer?.typed() as Float32Array;
    const bits = new Uint32Array(Float32Array.from(numbers).buffer);
    for (const bit of bits) {
      const bin = (bit & 0x7fffffff) >>> 16;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    total += bits.length;
  }
  let below = 0;
  let last = -1;
  for (let bin = 0; bin < BINS; bin++) {
    below += counts[bin] ?? 0;
    if (below > total * ratio) break;
    last = bin;
  }
  return last < 0 ? 0 : (new Float32Array(Uint32Array.of((last << 16) | 0xffff).buffer)[0] ?? 0);
}

function keepNOfM(numbers: Float32Array, { initializer }: Value, n: number, m: number): Float32Array {
  const dims = initializer?.dims ?? [];
  // Convolutions and transposed matrices have what is summed up side by side; a plain matrix a row apart.
  const [rows = 1, ...rest] = dims;
  const inner = rest.reduce((a, b) => a * b, 1);
  const [lines, length, stride, step] = dims.length === 2 ? [inner, rows, 1, inner] : [rows, inner, inner, 1];
  const result = Float32Array.from(numbers);
  for (let line = 0; line < lines; line++) {
    for (let start = 0; start + m <= length; start += m) {
      const block = Array.from({ length: m }, (_, index) => line * stride + (start + index) * step);
      block.sort((a, b) => Math.abs(numbers[b] ?? 0) - Math.abs(numbers[a] ?? 0) || a - b);
      for (const index of block.slice(n)) result[index] = 0;
    }
  }
  return result;
}

async function thin(
  model: Model,
  values: readonly Value[],
  change: (numbers: Float32Array, value: Value) => Float32Array,
  signal: AbortSignal | undefined,
): Promise<SparseWeights> {
  const weights = new Map<string, Tensor>();
  let [numbers, zerosBefore, zerosAfter] = [0, 0, 0];
  for (const value of values) {
    signal?.throwIfAborted();
    const before = value.initializer?.typed() as Float32Array;
    const after = change(before, value);
    numbers += before.length;
    zerosBefore += countZeros(before);
    zerosAfter += countZeros(after);
    weights.set(value.name, Tensor.fromTyped('float32', value.initializer?.dims ?? [], after));
  }
  const compressed = { before: 0, after: 0 };
  for (const value of model.graph.initializers) {
    signal?.throwIfAborted();
    if (value.initializer?.elementType !== 'float32') continue;
    const size = (await compress(value.initializer.bytes())).length;
    const thinned = weights.get(value.name);
    compressed.before += size;
    compressed.after += thinned === undefined ? size : (await compress(thinned.bytes())).length;
  }
  return { weights, numbers, zerosBefore, zerosAfter, compressed };
}

function countZeros(numbers: Float32Array): number {
  let count = 0;
  for (const number of numbers) if (number === 0) count++;
  return count;
}
