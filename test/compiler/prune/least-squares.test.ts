import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NormalEquations } from '../../../lib/compiler/prune/least-squares.js';
import { randomFloats } from '../../support/random-numbers.js';

interface Problem {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly seed: number;
  /** Columns of X that repeat the first, so that XᵀX is singular. */
  readonly repeated: number;
}

const problems: fc.Arbitrary<Problem> = fc.record({
  rows: fc.integer({ min: 1, max: 40 }),
  inputs: fc.integer({ min: 1, max: 12 }),
  outputs: fc.integer({ min: 1, max: 5 }),
  seed: fc.nat({ max: 10_000 }),
  repeated: fc.nat({ max: 3 }),
});

function rowsOf({ rows, inputs, outputs, seed, repeated }: Problem) {
  const x = Float64Array.from(randomFloats(rows * inputs, seed));
  for (let row = 0; row < rows; row++) {
    for (let index = 1; index <= Math.min(repeated, inputs - 1); index++)
      x[row * inputs + index] = x[row * inputs] ?? 0;
  }
  const y = Float64Array.from(randomFloats(rows * outputs, seed + 1));
  return { x, y, prior: Float64Array.from(randomFloats(inputs * outputs, seed + 2)) };
}

function equationsOf(problem: Problem, x: Float64Array, y: Float64Array): NormalEquations {
  const { rows, inputs, outputs } = problem;
  const equations = new NormalEquations(inputs, outputs);
  for (let row = 0; row < rows; row++) {
    equations.add(x.subarray(row * inputs, (row + 1) * inputs), y.subarray(row * outputs, (row + 1) * outputs));
  }
  return equations;
}

/** |X·W - Y|², row by row. */
function squaredError({ rows, inputs, outputs }: Problem, x: Float64Array, y: Float64Array, w: Float64Array): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < outputs; column++) {
      let value = -(y[row * outputs + column] ?? 0);
      for (let index = 0; index < inputs; index++)
        value += (x[row * inputs + index] ?? 0) * (w[index * outputs + column] ?? 0);
      sum += value * value;
    }
  }
  return sum;
}

describe('NormalEquations', () => {
  it('knows the squared error of weights without having kept the rows', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { x, y, prior } = rowsOf(problem);
        const expected = squaredError(problem, x, y, prior);
        expect(equationsOf(problem, x, y).residual(prior)).toBeCloseTo(expected, 8);
      }),
      { seed: 1 },
    );
  });

  it('never makes weights worse, be the system singular or not', () => {
    fc.assert(
      fc.property(problems, fc.constantFrom(0, 1e-12, 1e-4, 10), (problem, ridge) => {
        const { x, y, prior } = rowsOf(problem);
        const solution = equationsOf(problem, x, y).solve(prior, ridge);
        expect(squaredError(problem, x, y, solution)).toBeLessThanOrEqual(
          squaredError(problem, x, y, prior) * (1 + 1e-9) + 1e-9,
        );
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it('finds the weights that targets were made with', () => {
    const problem = { rows: 60, inputs: 7, outputs: 3, seed: 4, repeated: 0 };
    const { x, prior: weights } = rowsOf(problem);
    const y = new Float64Array(60 * 3);
    for (let row = 0; row < 60; row++) {
      for (let column = 0; column < 3; column++) {
        for (let index = 0; index < 7; index++) {
          y[row * 3 + column] =
            (y[row * 3 + column] ?? 0) + (x[row * 7 + index] ?? 0) * (weights[index * 3 + column] ?? 0);
        }
      }
    }
    const solution = equationsOf(problem, x, y).solve(new Float64Array(21), 0);
    for (const [index, weight] of weights.entries()) expect(solution[index]).toBeCloseTo(weight, 9);
  });

  it('stays closer to what was there the greater the ridge', () => {
    const problem = { rows: 30, inputs: 6, outputs: 2, seed: 5, repeated: 0 };
    const { x, y, prior } = rowsOf(problem);
    const distance = (ridge: number) =>
      equationsOf(problem, x, y)
        .solve(prior, ridge)
        .reduce((sum, weight, index) => sum + (weight - (prior[index] ?? 0)) ** 2, 0);
    expect(distance(1)).toBeLessThan(distance(0.01));
    expect(distance(1e6)).toBeLessThan(1e-6);
  });
});
