/** What is known of a channel without running anything: that it is constant, or the same as another but for a positive factor. */

export interface Fact {
  /** Names what the channel is, up to a factor: channels with one key are multiples of each other. */
  readonly key: number;
  /** The channel is `scale` times what its key names; above 0. */
  readonly scale: number;
  /** Its value, where it is the same everywhere and for every input. */
  readonly constant: number | undefined;
}

/** Facts of every index of one axis of a value. */
export interface AxisFacts {
  readonly axis: number;
  readonly facts: readonly Fact[];
}

/** Rounding of a float32, and what two roundings make of a product. */
const TOLERANCE = 4e-7;

/** Keys for what channels are made of. */
export class Keys {
  #next = 0;
  readonly #exact = new Map<string, number>();
  readonly #vectors = new Map<string, { readonly numbers: Float64Array; readonly key: number }[]>();

  /** A key that nothing else has. */
  unique(): number {
    return this.#next++;
  }

  /** The same for the same parts. */
  of(...parts: readonly (string | number)[]): number {
    const text = JSON.stringify(parts);
    const known = this.#exact.get(text);
    if (known !== undefined) return known;
    const key = this.unique();
    this.#exact.set(text, key);
    return key;
  }

  /**
   * The key of a channel that depends on `context` through a vector of numbers, and the positive factor that it is a multiple by.
   * undefined for a vector of zeros, or with numbers that are not finite.
   */
  ofVector(context: string, numbers: Float64Array): { readonly key: number; readonly scale: number } | undefined {
    let at = 0;
    for (const [index, number] of numbers.entries()) {
      if (!Number.isFinite(number)) return undefined;
      if (Math.abs(number) > Math.abs(numbers[at] ?? 0)) at = index;
    }
    const largest = numbers[at] ?? 0;
    if (largest === 0) return undefined;
    const bucket = `${context} ${at} ${Math.sign(largest)}`;
    const alike = this.#vectors.get(bucket) ?? [];
    this.#vectors.set(bucket, alike);
    for (const known of alike) {
      const scale = largest / (known.numbers[at] ?? 1);
      const limit = TOLERANCE * Math.abs(largest);
      if (numbers.every((number, index) => Math.abs(number - scale * (known.numbers[index] ?? 0)) <= limit)) {
        return { key: known.key, scale };
      }
    }
    const key = this.unique();
    alike.push({ numbers, key });
    return { key, scale: 1 };
  }
}
