import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GramMatrix } from '../../../../lib/compiler/quantize/accuracy/gram-matrix.js';
import {
  type Reconstruction,
  type ReconstructionProblem,
  reconstructRows,
} from '../../../../lib/compiler/quantize/accuracy/reconstruct-rows.js';
import { LARGEST_PAIR, largestPair } from '../../../../lib/compiler/quantize/accuracy/saturating-pairs.js';
import { randomFloats } from '../../../support/random-numbers.js';

interface Layer extends ReconstructionProblem {
  readonly x: Float32Array;
}

/** Inputs that are mixtures of a few, as those of real layers are. */
function layerOf(rows: number, depth: number, seed: number, highest = 7): Layer {
  const count = 2 * depth + 8;
  const sources = Math.max(1, Math.floor(depth / 3));
  const basis = randomFloats(sources * depth, seed);
  const strength = randomFloats(count * sources, seed + 1);
  const noise = randomFloats(count * depth, seed + 2, -0.1, 0.1);
  const x = noise.map((value, index) => {
    const [row, k] = [Math.floor(index / depth), index % depth];
    let sum = value;
    for (let s = 0; s < sources; s++) sum += (strength[row * sources + s] ?? 0) * (basis[s * depth + k] ?? 0);
    return sum;
  });
  const gram = new GramMatrix(depth);
  for (let row = 0; row < count; row++) gram.addFrom(x, row * depth, 1);
  const weights = randomFloats(rows * depth, seed + 3);
  const grid = { scale: 1 / highest, zeroPoint: 0 };
  return { x, weights, rows, depth, gram: gram.finish(), lowest: -highest, highest, gridOf: () => grid };
}

/** |X (w - q)|² by definition. */
function errorOf({ x, weights, depth, gridOf }: Layer, row: number, integers: Int16Array): number {
  let total = 0;
  for (let start = 0; start < x.length; start += depth) {
    let sum = 0;
    for (let k = 0; k < depth; k++) {
      const at = row * depth + k;
      const { scale, zeroPoint } = gridOf(row, k);
      sum += (x[start + k] ?? 0) * ((weights[at] ?? 0) - ((integers[at] ?? 0) - zeroPoint) * scale);
    }
    total += sum ** 2;
  }
  return total;
}

function reconstructed(layer: Layer): Reconstruction {
  const result = reconstructRows(layer);
  if (result === undefined) throw new Error('the inputs are finite');
  return result;
}

const total = (errors: Float64Array) => errors.reduce((sum, error) => sum + error, 0);

it('says of every row what it loses, which is never more than rounding to the nearest loses', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 19 }), fc.integer({ min: 1, max: 40 }), fc.nat(), (rows, depth, seed) => {
      const layer = layerOf(rows, depth, seed);
      const { integers, errors, nearestErrors } = reconstructed(layer);
      const nearest = Int16Array.from(layer.weights, (weight) => Math.max(-7, Math.min(Math.round(weight * 7), 7)));
      for (let row = 0; row < rows; row++) {
        const [found, usual] = [errors[row] ?? Number.NaN, nearestErrors[row] ?? Number.NaN];
        expect(found).toBeCloseTo(errorOf(layer, row, integers), 4);
        expect(usual).toBeCloseTo(errorOf(layer, row, nearest), 4);
        expect(found).toBeLessThanOrEqual(usual);
      }
    }),
    { seed: 1, numRuns: 60 },
  );
});

it('loses much less where inputs are correlated', () => {
  const { errors, nearestErrors } = reconstructed(layerOf(24, 96, 5));
  expect(total(nearestErrors) / total(errors)).toBeGreaterThan(5);
});

it('is near the best there is, where a layer is small enough to try all', () => {
  const layer = layerOf(60, 2, 11, 2);
  const { errors } = reconstructed(layer);
  let best = 0;
  for (let row = 0; row < layer.rows; row++) {
    let smallest = Number.POSITIVE_INFINITY;
    for (let a = -2; a <= 2; a++) {
      for (let b = -2; b <= 2; b++) {
        const integers = new Int16Array(layer.rows * 2);
        integers.set([a, b], row * 2);
        smallest = Math.min(smallest, errorOf(layer, row, integers));
      }
    }
    best += smallest;
  }
  expect(total(errors)).toBeLessThan(best * 1.25);
});

it('keeps pairs below what two products of uint8 may add up to', () => {
  const layer = { ...layerOf(16, 33, 3, 127), limitsPairs: true };
  const { integers } = reconstructed(layer);
  for (let row = 0; row < 16; row++) {
    expect(largestPair(integers.subarray(row * 33, (row + 1) * 33))).toBeLessThanOrEqual(LARGEST_PAIR);
  }
  expect(largestPair(reconstructed({ ...layer, limitsPairs: false }).integers.subarray(0, 33))).toBeGreaterThan(
    LARGEST_PAIR,
  );
});

it('keeps the zero point where a scale is 0, and zero points in general', () => {
  const layer = layerOf(3, 8, 7);
  const shifted = reconstructed({
    ...layer,
    lowest: 0,
    highest: 15,
    gridOf: (row) => ({ scale: row === 1 ? 0 : 1 / 7, zeroPoint: 8 }),
  });
  expect([...shifted.integers.subarray(8, 16)]).toEqual(new Array(8).fill(8));
  const plain = reconstructed({ ...layer, lowest: -8, highest: 7 });
  expect([...shifted.integers.subarray(0, 8)]).toEqual(Array.from(plain.integers.subarray(0, 8), (q) => q + 8));
});

it('has nothing to say about inputs that are all zero or not finite', () => {
  const layer = layerOf(2, 4, 1);
  expect(reconstructRows({ ...layer, gram: new Float64Array(16) })).toBeUndefined();
  expect(reconstructRows({ ...layer, gram: new Float64Array(16).fill(Number.NaN) })).toBeUndefined();
});

it('can do with inputs of which some are always zero or copies of others', () => {
  const layer = layerOf(4, 12, 9);
  const gram = Float64Array.from(layer.gram);
  for (let k = 0; k < 12; k++) {
    gram[3 * 12 + k] = 0;
    gram[k * 12 + 3] = 0;
  }
  const { errors, nearestErrors } = reconstructed({ ...layer, gram });
  expect(total(errors)).toBeLessThan(total(nearestErrors));
});

it('rounds a layer of 768 × 3072, and no row of it comes out worse', { timeout: 60_000 }, () => {
  const gram = new GramMatrix(768);
  const x = randomFloats(768 * 64, 1);
  for (let row = 0; row < 1024; row++) gram.addFrom(x, (row % 64) * 768, 1);
  const grid = { scale: 1 / 127, zeroPoint: 0 };
  const problem = { rows: 3072, depth: 768, weights: randomFloats(768 * 3072, 2), lowest: -127, highest: 127 };
  const result = reconstructRows({ ...problem, gram: gram.finish(), gridOf: () => grid });
  expect(result?.rowsKept).toBe(0);
});

it('stops when it is told to', () => {
  expect(() => reconstructRows(layerOf(2, 4, 1), { signal: AbortSignal.abort(new Error('enough')) })).toThrow('enough');
});
