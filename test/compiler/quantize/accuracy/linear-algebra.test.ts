import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cholesky } from '../../../../lib/compiler/quantize/accuracy/cholesky.js';
import { GramMatrix } from '../../../../lib/compiler/quantize/accuracy/gram-matrix.js';
import { randomFloats } from '../../../support/random-numbers.js';

/** Sizes around the blocks of the inner loops. */
const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(63, 64, 65, 67, 130));

describe('GramMatrix', () => {
  it('is Xᵀ X, whatever the number of rows and columns, and however they are added', () => {
    fc.assert(
      fc.property(size, fc.integer({ min: 0, max: 300 }), fc.nat(), (columns, rows, seed) => {
        const x = randomFloats(rows * columns, seed);
        const gram = new GramMatrix(columns);
        for (let row = 0; row < rows; row++) {
          if (row % 2 === 0) gram.add((k) => x[row * columns + k] ?? Number.NaN);
          else gram.addFrom(x, row * columns, 1);
          // Asking in between must not lose or repeat rows.
          if (row === 100) gram.finish();
        }
        expect(gram.rows).toBe(rows);
        const sums = gram.finish();
        for (let i = 0; i < columns; i++) {
          for (let j = 0; j < columns; j++) {
            let expected = 0;
            for (let row = 0; row < rows; row++) expected += (x[row * columns + i] ?? 0) * (x[row * columns + j] ?? 0);
            expect(sums[i * columns + j]).toBeCloseTo(expected, 8);
          }
        }
      }),
      { seed: 1, numRuns: 25 },
    );
  });

  it('takes elements that lie apart', () => {
    const gram = new GramMatrix(2);
    gram.addFrom(Float32Array.of(9, 2, 9, 9, 3), 1, 3);
    expect([...gram.finish()]).toEqual([4, 6, 6, 9]);
  });
});

describe('cholesky', () => {
  it('is lower triangular and multiplies back to the matrix', () => {
    fc.assert(
      fc.property(size, fc.nat(), (order, seed) => {
        const matrix = positiveDefinite(order, seed);
        const factor = cholesky(matrix, order);
        if (factor === undefined) throw new Error('it is positive definite');
        for (let i = 0; i < order; i++) {
          for (let j = 0; j < order; j++) {
            let product = 0;
            for (let k = 0; k < order; k++) product += (factor[i * order + k] ?? 0) * (factor[j * order + k] ?? 0);
            expect(Math.abs(product - (matrix[i * order + j] ?? 0))).toBeLessThan(1e-9 * order);
            if (j > i) expect(factor[i * order + j]).toBe(0);
          }
        }
      }),
      { seed: 1, numRuns: 25 },
    );
  });

  it('is undefined for a matrix that is not positive definite, in the first block or a later one', () => {
    expect(cholesky(Float64Array.of(0), 1)).toBeUndefined();
    expect(cholesky(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined();
    const late = positiveDefinite(100, 3);
    late[99 * 100 + 99] = -1;
    expect(cholesky(late, 100)).toBeUndefined();
    expect(cholesky(Float64Array.of(Number.NaN), 1)).toBeUndefined();
  });
});

function positiveDefinite(size: number, seed: number): Float64Array {
  const gram = new GramMatrix(size);
  const x = randomFloats((size + 4) * size, seed);
  for (let row = 0; row < size + 4; row++) gram.addFrom(x, row * size, 1);
  const matrix = gram.finish();
  for (let k = 0; k < size; k++) matrix[k * size + k] = (matrix[k * size + k] ?? 0) + 0.1;
  return matrix;
}
