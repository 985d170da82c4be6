/** What scenes are made up by: the same choices for a seed on every machine. */
import { randomNumbers } from '../../../lib/compiler/runtime/sample-inputs.js';

export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomNumbers(seed);
  }

  /** In [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.#next();
  }

  /** A whole number in [low, high). */
  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.whole(0, items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Gaussian, by Box and Muller. */
  normal(deviation = 1): number {
    return deviation * Math.sqrt(-2 * Math.log(1 - this.#next())) * Math.cos(2 * Math.PI * this.#next());
  }
}
