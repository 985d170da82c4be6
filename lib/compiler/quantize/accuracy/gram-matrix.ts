/**
 * Sums of products of a layer's inputs, Xᵀ X, gathered while activations stream by: all that rounding by reconstruction wants to know of
 * them, in memory that does not grow with the number of samples.
 */

/** Rows that are gathered before they are multiplied: long enough for the inner loops, short enough for the cache. */
const BATCH = 128;

export class GramMatrix {
  /** Columns of X: the depth of the product that X goes into. */
  readonly size: number;
  /** size × size, row by row, lower triangle only; complete after `finish`. */
  readonly #sums: Float64Array;
  /** The gathered rows, one column of X after the other. */
  readonly #columns: Float64Array;
  #gathered = 0;
  #rows = 0;

  constructor(size: number) {
    this.size = size;
    this.#sums = new Float64Array(size * size);
    this.#columns = new Float64Array(size * BATCH);
  }

  /** Bytes that a matrix of this size takes. */
  static bytes(size: number): number {
    return 8 * size * (size + BATCH);
  }

  /** Rows added so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Adds one row of X: `elementAt(k)` for k = 0 … size - 1. */
  add(elementAt: (k: number) => number): void {
    const columns = this.#columns;
    for (let k = 0, at = this.#gathered; k < this.size; k++, at += BATCH) columns[at] = elementAt(k);
    this.#advance();
  }

  /** Adds the row of X that lies in `source` from `offset`, `stride` elements apart. */
  addFrom(source: Float32Array, offset: number, stride: number): void {
    const columns = this.#columns;
    for (let k = 0, at = this.#gathered; k < this.size; k++, at += BATCH) {
      columns[at] = source[offset + k * stride] ?? 0;
    }
    this.#advance();
  }

  #advance(): void {
    this.#rows++;
    if (++this.#gathered === BATCH) this.#multiply();
  }

  /** The whole matrix, size × size, row by row, its upper triangle mirrored. More rows may be added afterwards. */
  finish(): Float64Array {
    this.#multiply();
    const { size } = this;
    const whole = this.#sums.slice();
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < row; column++) whole[column * size + row] = whole[row * size + column] ?? 0;
    }
    return whole;
  }

  #multiply(): void {
    const length = this.#gathered;
    if (length === 0) return;
    this.#gathered = 0;
    addProducts(this.#columns, BATCH, length, this.size, this.#sums);
  }
}

/** sums[i][j] += Σ_t vectors[i][t] · vectors[j][t] for j ≤ i; two rows and four columns at a time. */
function addProducts(vectors: Float64Array, stride: number, length: number, size: number, sums: Float64Array): void {
  for (let i = 0; i < size; i += 2) {
    const isPair = i + 1 < size;
    const a = i * stride;
    const b = isPair ? a + stride : a;
    for (let j = 0; j <= i + 1 && j < size; j += 4) {
      const c = j * stride;
      // Columns beyond the matrix read a row again; their sums are not stored.
      const d = j + 1 < size ? c + stride : c;
      const e = j + 2 < size ? d + stride : c;
      const f = j + 3 < size ? e + stride : c;
      let [ac, ad, ae, af, bc, bd, be, bf] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let t = 0; t < length; t++) {
        const x = vectors[a + t] as number;
        const y = vectors[b + t] as number;
        const p = vectors[c + t] as number;
        const q = vectors[d + t] as number;
        const r = vectors[e + t] as number;
        const s = vectors[f + t] as number;
        ac += x * p;
        ad += x * q;
        ae += x * r;
        af += x * s;
        bc += y * p;
        bd += y * q;
        be += y * r;
        bf += y * s;
      }
      add(sums, size, i, j, ac);
      add(sums, size, i, j + 1, ad);
      add(sums, size, i, j + 2, ae);
      add(sums, size, i, j + 3, af);
      if (!isPair) continue;
      add(sums, size, i + 1, j, bc);
      add(sums, size, i + 1, j + 1, bd);
      add(sums, size, i + 1, j + 2, be);
      add(sums, size, i + 1, j + 3, bf);
    }
  }
}

function add(sums: Float64Array, size: number, row: number, column: number, value: number): void {
  if (column <= row) sums[row * size + column] = (sums[row * size + column] as number) + value;
}
