/** Cholesky's factorization in double precision, in blocks that fit the cache. */

const BLOCK = 64;

/**
 * The lower triangular L with L · Lᵀ = `matrix`, which is symmetric, size × size, row by row; only its lower triangle is read.
 * @returns undefined where the matrix is not positive definite in double precision
 */
export function cholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const factor = new Float64Array(size * size);
  for (let top = 0; top < size; top += BLOCK) {
    const bottom = Math.min(top + BLOCK, size);
    for (let left = 0; left <= top; left += BLOCK) {
      const right = Math.min(left + BLOCK, size);
      subtractProducts(matrix, factor, size, top, bottom, left, right);
      if (!solveBlock(factor, size, top, bottom, left, right)) return undefined;
    }
  }
  return factor;
}

/** factor[i][j] = matrix[i][j] - Σ_{k < left} factor[i][k] · factor[j][k] over a block; two rows and four columns at a time. */
function subtractProducts(
  matrix: Float64Array,
  factor: Float64Array,
  size: number,
  top: number,
  bottom: number,
  left: number,
  right: number,
): void {
  for (let i = top; i < bottom; i += 2) {
    const a = i * size;
    const b = i + 1 < bottom ? a + size : a;
    for (let j = left; j < right; j += 4) {
      const c = j * size;
      const d = j + 1 < right ? c + size : c;
      const e = j + 2 < right ? d + size : c;
      const f = j + 3 < right ? e + size : c;
      let [ac, ad, ae, af, bc, bd, be, bf] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let k = 0; k < left; k++) {
        const x = factor[a + k] as number;
        const y = factor[b + k] as number;
        const p = factor[c + k] as number;
        const q = factor[d + k] as number;
        const r = factor[e + k] as number;
        const s = factor[f + k] as number;
        ac += x * p;
        ad += x * q;
        ae += x * r;
        af += x * s;
        bc += y * p;
        bd += y * q;
        be += y * r;
        bf += y * s;
      }
      const products = [ac, ad, ae, af, bc, bd, be, bf] as const;
      for (let row = i; row < Math.min(i + 2, bottom); row++) {
        for (let column = j; column < Math.min(j + 4, right); column++) {
          const product = products[(row - i) * 4 + (column - j)] as number;
          factor[row * size + column] = column > row ? 0 : (matrix[row * size + column] as number) - product;
        }
      }
    }
  }
}

/** What is left within a block, whose columns to the left are done. False where a pivot is not positive. */
function solveBlock(
  factor: Float64Array,
  size: number,
  top: number,
  bottom: number,
  left: number,
  right: number,
): boolean {
  for (let i = top; i < bottom; i++) {
    for (let j = left; j < Math.min(right, i + 1); j++) {
      let value = factor[i * size + j] as number;
      for (let k = left; k < j; k++) value -= (factor[i * size + k] as number) * (factor[j * size + k] as number);
      if (i !== j) factor[i * size + j] = value / (factor[j * size + j] as number);
      else if (value > 0) factor[i * size + j] = Math.sqrt(value);
      else return false;
    }
  }
  return true;
}
