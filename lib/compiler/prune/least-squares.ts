/**
 * Linear least squares by normal equations that are summed up row by row, so that memory depends on the number of unknowns and not on that
 * of the samples: W minimizes |X·W - Y|² + λ·|W - W₀|², (XᵀX + λI)(W - W₀) = Xᵀ(Y - X·W₀), solved by Cholesky's decomposition in double
 * precision.
 */

export class NormalEquations {
  /** Columns of X and of Y. */
  readonly inputs: number;
  readonly outputs: number;
  /** XᵀX: its upper triangle, row by row. */
  readonly #gram: Float64Array;
  /** XᵀY. */
  readonly #moments: Float64Array;
  #targetEnergy = 0;
  #rows = 0;

  constructor(inputs: number, outputs: number) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.#gram = new Float64Array(inputs * inputs);
    this.#moments = new Float64Array(inputs * outputs);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Sum of squares of Y. */
  get targetEnergy(): number {
    return this.#targetEnergy;
  }

  /** One row of X and the row of Y that belongs to it. */
  add(x: ArrayLike<number>, y: ArrayLike<number>): void {
    const { inputs, outputs } = this;
    const [gram, moments] = [this.#gram, this.#moments];
    for (let i = 0; i < inputs; i++) {
      const factor = x[i] ?? 0;
      if (factor === 0) continue;
      const row = i * inputs;
      for (let j = i; j < inputs; j++) gram[row + j] = (gram[row + j] ?? 0) + factor * (x[j] ?? 0);
      const at = i * outputs;
      for (let k = 0; k < outputs; k++) moments[at + k] = (moments[at + k] ?? 0) + factor * (y[k] ?? 0);
    }
    for (let k = 0; k < outputs; k++) this.#targetEnergy += (y[k] ?? 0) ** 2;
    this.#rows++;
  }

  /** |X·W - Y|² of the rows so far. `weights` has a row for each input and a column for each output. */
  residual(weights: Float64Array): number {
    const product = this.#gramTimes(weights);
    let sum = this.#targetEnergy;
    for (const [index, weight] of weights.entries()) {
      sum += weight * ((product[index] ?? 0) - 2 * (this.#moments[index] ?? 0));
    }
    return Math.max(0, sum);
  }

  /**
   * @param prior what the solution stays close to, row by row as in `residual`; its own residual is never exceeded
   * @param ridge λ as a part of the mean of XᵀX's diagonal
   */
  solve(prior: Float64Array, ridge: number): Float64Array {
    const { inputs, outputs } = this;
    const lambda = ridge * this.#meanDiagonal();
    const factor = this.#cholesky(lambda);
    if (factor === undefined) return prior;
    const product = this.#gramTimes(prior);
    const change = this.#moments.map((moment, index) => moment - (product[index] ?? 0));
    forwardAndBack(factor, change, inputs, outputs);
    const solution = prior.map((weight, index) => weight + (change[index] ?? 0));
    return solution.every(Number.isFinite) && this.residual(solution) <= this.residual(prior) ? solution : prior;
  }

  #meanDiagonal(): number {
    let sum = 0;
    for (let i = 0; i < this.inputs; i++) sum += this.#gram[i * this.inputs + i] ?? 0;
    return sum / Math.max(1, this.inputs);
  }

  #gramTimes(weights: Float64Array): Float64Array {
    const { inputs, outputs } = this;
    const product = new Float64Array(inputs * outputs);
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) {
        const entry = this.#gram[i <= j ? i * inputs + j : j * inputs + i] ?? 0;
        if (entry === 0) continue;
        for (let k = 0; k < outputs; k++) {
          const at = i * outputs + k;
          product[at] = (product[at] ?? 0) + entry * (weights[j * outputs + k] ?? 0);
        }
      }
    }
    return product;
  }

  /** L of LLᵀ = XᵀX + λI, row by row; undefined where the matrix is not positive definite. */
  #cholesky(lambda: number): Float64Array | undefined {
    const n = this.inputs;
    const factor = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = (this.#gram[j * n + i] ?? 0) + (i === j ? lambda : 0);
        const [a, b] = [i * n, j * n];
        for (let k = 0; k < j; k++) sum -= (factor[a + k] ?? 0) * (factor[b + k] ?? 0);
        if (i > j) factor[a + j] = sum / (factor[b + j] ?? 1);
        else if (sum > 0 && Number.isFinite(sum)) factor[a + i] = Math.sqrt(sum);
        else return undefined;
      }
    }
    return factor;
  }
}

/** Solves LLᵀ·X = B in place of B. */
function forwardAndBack(factor: Float64Array, b: Float64Array, n: number, columns: number): void {
  const eliminate = (row: number, other: number, entry: number) => {
    for (let k = 0; k < columns; k++) {
      b[row * columns + k] = (b[row * columns + k] ?? 0) - entry * (b[other * columns + k] ?? 0);
    }
  };
  const divide = (row: number) => {
    const diagonal = factor[row * n + row] ?? 1;
    for (let k = 0; k < columns; k++) b[row * columns + k] = (b[row * columns + k] ?? 0) / diagonal;
  };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) eliminate(i, j, factor[i * n + j] ?? 0);
    divide(i);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let j = i + 1; j < n; j++) eliminate(i, j, factor[j * n + i] ?? 0);
    divide(i);
  }
}
