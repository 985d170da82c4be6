/**
 * Rounding by reconstruction: integers for a layer's weights that keep its outputs, not its weights, near to what they were. Weights are
 * rounded one after the other, and each takes over the error that those before it made in the layer's outputs, as far as the inputs are
 * correlated: Babai's nearest plane, which is what GPTQ computes (Frantar et al., arXiv 2210.17323; Chen et al., arXiv 2507.18553).
 */

import { roundHalfToEven } from '../parameters/rounding.js';
import { cholesky } from './cholesky.js';
import { LARGEST_PAIR } from './saturating-pairs.js';

/** real = (integer - zeroPoint) · scale; a scale of 0 has the zero point only. */
export interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface ReconstructionProblem {
  /** rows × depth, row by row. */
  readonly weights: Float32Array;
  readonly rows: number;
  readonly depth: number;
  /** Xᵀ X of the layer's inputs, depth × depth: see GramMatrix. */
  readonly gram: Float64Array;
  readonly lowest: number;
  readonly highest: number;
  /** Whether integers 2i and 2i + 1 of a row, where they have one sign, must not add up to more than LARGEST_PAIR. Default false. */
  readonly limitsPairs?: boolean;
  /** The grid of element `k` of a row. */
  gridOf(row: number, k: number): Grid;
}

export interface ReconstructionOptions {
  /** Added to the diagonal, as a part of its mean, so that inputs that never vary do not decide. Default 0.01. */
  readonly damping?: number;
  readonly signal?: AbortSignal;
}

export interface Reconstruction {
  /** rows × depth: integers, the zero point included. */
  readonly integers: Int16Array;
  /** |X (w - q)|² of each row: of these integers, and of rounding to the nearest. The first is never the larger. */
  readonly errors: Float64Array;
  readonly nearestErrors: Float64Array;
  /** Rows that rounding to the nearest served as well or better; they keep its integers. */
  readonly rowsKept: number;
}

/** Rows that go through the factor together; the inner loop is written out for them. */
const LANES = 8;

/** @returns undefined where the inputs are not finite or all zero, and say nothing */
export function reconstructRows(
  problem: ReconstructionProblem,
  options: ReconstructionOptions = {},
): Reconstruction | undefined {
  const { rows, depth, gram } = problem;
  const order = orderOf(gram, depth);
  const factored = factorize(gram, depth, order, options.damping ?? 0.01);
  if (factored === undefined) return undefined;
  const integers = new Int16Array(rows * depth);
  const errors = new Float64Array(rows);
  const nearestErrors = new Float64Array(rows);
  let rowsKept = 0;
  for (let from = 0; from < rows; from += LANES) {
    options.signal?.throwIfAborted();
    const to = Math.min(from + LANES, rows);
    const target = integers.subarray(from * depth, to * depth);
    const reconstructed = roundRows(problem, factored, order, from, to, true, target);
    const nearest = new Int16Array(target.length);
    const rounded = roundRows(problem, factored, order, from, to, false, nearest);
    for (let lane = 0; lane < to - from; lane++) {
      const [found = Number.NaN, usual = Number.NaN] = [reconstructed[lane], rounded[lane]];
      nearestErrors[from + lane] = usual;
      // Not a number where a weight is not finite.
      if (found < usual) errors[from + lane] = found;
      else {
        target.set(nearest.subarray(lane * depth, (lane + 1) * depth), lane * depth);
        errors[from + lane] = usual;
        rowsKept++;
      }
    }
  }
  return { integers, errors, nearestErrors, rowsKept };
}

/** Inputs in falling order of their energy: what is rounded first cannot be made up for by what comes before it. */
function orderOf(gram: Float64Array, depth: number): Int32Array {
  const energy = (k: number) => gram[k * depth + k] ?? 0;
  return Int32Array.from({ length: depth }, (_, k) => k).sort((a, b) => energy(b) - energy(a) || a - b);
}

interface Factored {
  /** U. */
  readonly factor: Float64Array;
  /** What was added to the diagonal. */
  readonly added: number;
}

/**
 * The upper triangular U, row by row, with Uᵀ U = Xᵀ X + added · 1 in the order of positions: |U e|² is a sum over positions, and what
 * stands at one of them holds the errors of those after it and its own. Position p is rounded as number depth - 1 - p.
 */
function factorize(gram: Float64Array, depth: number, order: Int32Array, damping: number): Factored | undefined {
  let trace = 0;
  for (let k = 0; k < depth; k++) trace += gram[k * depth + k] ?? 0;
  if (!(trace > 0) || !Number.isFinite(trace)) return undefined;
  const permuted = new Float64Array(depth * depth);
  for (let p = 0; p < depth; p++) {
    const from = (order[depth - 1 - p] ?? 0) * depth;
    for (let q = 0; q <= p; q++) permuted[p * depth + q] = gram[from + (order[depth - 1 - q] ?? 0)] ?? 0;
  }
  for (let strength = damping; strength < 1e3; strength = Math.max(strength * 10, 1e-6)) {
    const added = (strength * trace) / depth;
    for (let p = 0; p < depth; p++) {
      const k = order[depth - 1 - p] ?? 0;
      permuted[p * depth + p] = (gram[k * depth + k] ?? 0) + added;
    }
    const lower = cholesky(permuted, depth);
    if (lower !== undefined) return { factor: transpose(lower, depth, permuted), added };
  }
  return undefined;
}

function transpose(lower: Float64Array, size: number, into: Float64Array): Float64Array {
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) into[column * size + row] = lower[row * size + column] ?? 0;
  }
  return into;
}

/**
 * Rounds rows from … to, from the last position to the first.
 * @param makesUp whether a weight makes up for the errors before it; else each goes to its nearest integer
 * @param integers zeros, to be filled
 * @returns |X (w - q)|² of each row
 */
function roundRows(
  { weights, depth, lowest, highest, limitsPairs = false, gridOf }: ReconstructionProblem,
  { factor, added }: Factored,
  order: Int32Array,
  from: number,
  to: number,
  makesUp: boolean,
  integers: Int16Array,
): Float64Array {
  // w - q by position, the rows beside each other.
  const errors = new Float64Array(depth * LANES);
  const sums = new Float64Array(LANES);
  const norms = new Float64Array(LANES);
  for (let p = depth - 1; p >= 0; p--) {
    const k = order[depth - 1 - p] ?? 0;
    const pivot = factor[p * depth + p] ?? 1;
    sumErrors(factor, p, depth, errors, sums);
    for (let row = from; row < to; row++) {
      const lane = row - from;
      const weight = weights[row * depth + k] ?? 0;
      const { scale, zeroPoint } = gridOf(row, k);
      const sum = sums[lane] ?? 0;
      const wanted = makesUp ? (weight + sum / pivot) / scale : Math.fround(weight / scale);
      const rounded = scale === 0 ? zeroPoint : roundHalfToEven(wanted) + zeroPoint;
      // 0 where the neighbour is still to be rounded.
      const neighbour = limitsPairs && (k ^ 1) < depth ? (integers[lane * depth + (k ^ 1)] ?? 0) : 0;
      const top = neighbour > 0 ? Math.min(highest, LARGEST_PAIR - neighbour) : highest;
      const bottom = neighbour < 0 ? Math.max(lowest, -LARGEST_PAIR - neighbour) : lowest;
      const integer = Math.max(bottom, Math.min(rounded, top));
      integers[lane * depth + k] = integer;
      const error = weight - (integer - zeroPoint) * scale;
      errors[p * LANES + lane] = error;
      // The damping is no part of the norm.
      norms[lane] = (norms[lane] ?? 0) + (sum + pivot * error) ** 2 - added * error * error;
    }
  }
  return norms;
}

/** sums[r] = Σ_{j > p} factor[p][j] · errors[j][r]. */
function sumErrors(factor: Float64Array, p: number, depth: number, errors: Float64Array, sums: Float64Array): void {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  const base = p * depth;
  for (let j = p + 1, at = j * LANES; j < depth; j++, at += LANES) {
    const x = factor[base + j] as number;
    a += x * (errors[at] as number);
    b += x * (errors[at + 1] as number);
    c += x * (errors[at + 2] as number);
    d += x * (errors[at + 3] as number);
    e += x * (errors[at + 4] as number);
    f += x * (errors[at + 5] as number);
    g += x * (errors[at + 6] as number);
    h += x * (errors[at + 7] as number);
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
  sums[4] = e;
  sums[5] = f;
  sums[6] = g;
  sums[7] = h;
}
