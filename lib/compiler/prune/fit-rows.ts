/** The rows that fits are made with: chosen by chance, the same ones in the original and in the pruned model. */
import type { Feeds } from '../data/data-set.js';
import { randomNumbers } from '../runtime/sample-inputs.js';
import type { Fit } from './fit.js';
import type { NormalEquations } from './least-squares.js';
import type { FloatTensor } from './linear-rows.js';

/** Rows of one run's output, in ascending order. */
export function rowsOfRun(count: number, wanted: number, seed: number): number[] {
  const random = randomNumbers(seed);
  const stride = Math.max(1, count / Math.max(1, wanted));
  const rows: number[] = [];
  for (let at = 0; at < count; at += stride) rows.push(Math.min(count - 1, Math.floor(at + random() * (stride - 1))));
  return rows;
}

/** What the original computes in the chosen rows of one run. */
export interface TargetRows {
  /** Dimensions of the original's output. */
  readonly dims: readonly number[];
  readonly rows: readonly number[];
  /** Row by row, the outputs that stay. */
  readonly targets: Float32Array;
}

export function targetRowsOf({ original, kept }: Fit, output: FloatTensor, wanted: number, seed: number): TargetRows {
  const rows = rowsOfRun(original.rowCount(output), wanted, seed);
  const targets = new Float32Array(rows.length * kept.length);
  const whole = new Float64Array(original.outputs);
  for (const [position, row] of rows.entries()) {
    original.outputRow(output, row, whole);
    for (const [column, index] of kept.entries()) targets[position * kept.length + column] = whole[index] ?? 0;
  }
  return { dims: output.dims, rows, targets };
}

/**
 * Sums up the rows of one run.
 * @param skip what is added to the output, where the targets are sums
 */
export function addRows(
  { original, pruned, kept, hasBias }: Fit,
  equations: NormalEquations,
  input: FloatTensor,
  { dims, rows, targets }: TargetRows,
  skip: FloatTensor | undefined,
): void {
  const count = dims.reduce((a, b) => a * b, 1) / original.outputs;
  if (skip !== undefined && pruned.rowCount(skip) !== count) return;
  const x = new Float64Array(pruned.inputs + Number(hasBias));
  if (hasBias) x[pruned.inputs] = 1;
  const added = new Float64Array(kept.length);
  const y = new Float64Array(kept.length);
  // A bias that stands behind the node is in the sum already.
  const isApart = skip !== undefined && pruned.node.input(2) === undefined;
  const bias = isApart ? pruned.bias?.initializer?.numbers() : undefined;
  for (const [position, row] of rows.entries()) {
    pruned.inputRow(input, dims, row, x);
    if (skip !== undefined) pruned.outputRow(skip, row, added);
    for (let column = 0; column < y.length; column++) {
      const target = targets[position * kept.length + column] ?? 0;
      y[column] = target - (added[column] ?? 0) - (bias?.[column] ?? 0);
    }
    equations.add(x, y);
  }
}

export function floats(from: Feeds, name: string | undefined): FloatTensor | undefined {
  const tensor = name === undefined ? undefined : from[name];
  return tensor?.data instanceof Float32Array ? { dims: tensor.dims, data: tensor.data } : undefined;
}
