/** A seeded source of choices. */
import { randomNumbers } from '../../../lib/compiler/runtime/sample-inputs.js';

export class Choices {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomNumbers(seed + 1);
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  of<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to choose from');
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** In [-2, 2), now and then a zero of either sign or a whole number. */
  float(): number {
    const kind = this.integer(0, 9);
    if (kind === 0) return this.of([0, -0, 1, -1]);
    return this.#random() * 4 - 2;
  }

  /** Up to rank 4; one in twelve has an empty axis. */
  shape(minimumRank = 0, maximumRank = 4): number[] {
    const dims = Array.from({ length: this.integer(minimumRank, maximumRank) }, () =>
      this.of([1, 1, 2, 2, 3, 3, 4, 5]),
    );
    if (dims.length > 0 && this.chance(1 / 12)) dims[this.integer(0, dims.length - 1)] = 0;
    return dims;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.map(() => rest.splice(this.integer(0, rest.length - 1), 1)[0] as T);
  }
}
