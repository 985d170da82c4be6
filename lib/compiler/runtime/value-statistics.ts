/**
 * What a value takes on over many runs, without keeping what it was: exact extremes, and a histogram whose bins widen as they must. Plain
 * data, so that the session's process can send it.
 */

/**
 * Bin `index` counts numbers from (first + index) · 2^exponent up to the next, 0 itself left out. Widths are powers of two on a grid
 * through 0, so that the order in which numbers came makes no difference.
 */
export interface HistogramData {
  readonly exponent: number;
  readonly first: number;
  readonly counts: Float64Array;
}

export interface ValueStatistics {
  /** Of all finite and infinite elements. Without elements Infinity and -Infinity. */
  readonly min: number;
  readonly max: number;
  /** Elements in the histogram, zeros included. */
  readonly observed: number;
  /** Of those, exact zeros. */
  readonly zeros: number;
  /** Elements that are infinite or no number, among the observed. */
  readonly notFinite: number;
  readonly histogram: HistogramData;
}

/** Of a histogram; the range fills at least half of them. */
const BINS = 4096;

export class ValueObserver {
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #observed = 0;
  #zeros = 0;
  #notFinite = 0;
  /** Of what the histogram holds, 0 included. */
  #low = 0;
  #high = 0;
  #exponent: number | undefined;
  #first = 0;
  #counts = new Float64Array(0);

  /** Extremes that were computed elsewhere, over more than what `add` gets. */
  extend(min: number, max: number): void {
    if (min < this.#min) this.#min = min;
    if (max > this.#max) this.#max = max;
  }

  /** Numbers for the histogram. They do not count for the extremes: give those to `extend`. */
  add(data: Float32Array): void {
    let min = 0;
    let max = 0;
    let bad = 0;
    for (let index = 0; index < data.length; index++) {
      const x = data[index] as number;
      // Not a number where it is its own difference from nothing: infinities and NaN alike.
      if (x - x !== 0) bad++;
      else if (x < min) min = x;
      else if (x > max) max = x;
    }
    this.#observed += data.length;
    this.#notFinite += bad;
    this.#cover(min, max);
    this.#count(data, bad > 0);
  }

  statistics(): ValueStatistics {
    const { first, counts } = this.#trimmed();
    return {
      min: this.#min,
      max: this.#max,
      observed: this.#observed,
      zeros: this.#zeros,
      notFinite: this.#notFinite,
      histogram: { exponent: this.#exponent ?? 0, first, counts },
    };
  }

  #count(data: Float32Array, mayBeBad: boolean): void {
    if (this.#exponent === undefined) {
      this.#zeros += mayBeBad ? data.reduce((count, x) => (x === 0 ? count + 1 : count), 0) : data.length;
      return;
    }
    const counts = this.#counts;
    const inverse = 2 ** -this.#exponent;
    const first = this.#first;
    let zeros = 0;
    for (let index = 0; index < data.length; index++) {
      const x = data[index] as number;
      if (x === 0) zeros++;
      else if (!mayBeBad || x - x === 0) {
        const bin = Math.floor(x * inverse) - first;
        counts[bin] = (counts[bin] as number) + 1;
      }
    }
    this.#zeros += zeros;
  }

  /** Widens bins until the range fits, and moves them under it. */
  #cover(min: number, max: number): void {
    const low = Math.min(min, this.#low);
    const high = Math.max(max, this.#high);
    if (low === 0 && high === 0) return;
    if (this.#exponent !== undefined && low === this.#low && high === this.#high) return;
    this.#low = low;
    this.#high = high;
    if (this.#exponent === undefined) {
      this.#exponent = exponentFor(low, high);
      this.#counts = new Float64Array(BINS);
      this.#first = Math.floor(low * 2 ** -this.#exponent);
      return;
    }
    const exponent = Math.max(this.#exponent, exponentFor(low, high));
    const first = Math.floor(low * 2 ** -exponent);
    const width = 2 ** (exponent - this.#exponent);
    const counts = new Float64Array(BINS);
    for (let index = 0; index < this.#counts.length; index++) {
      const count = this.#counts[index] as number;
      if (count === 0) continue;
      const bin = Math.floor((this.#first + index) / width) - first;
      counts[bin] = (counts[bin] as number) + count;
    }
    this.#exponent = exponent;
    this.#first = first;
    this.#counts = counts;
  }

  #trimmed(): { readonly first: number; readonly counts: Float64Array } {
    let start = 0;
    let end = this.#counts.length;
    while (end > start && this.#counts[end - 1] === 0) end--;
    while (start < end && this.#counts[start] === 0) start++;
    return { first: this.#first + start, counts: this.#counts.slice(start, end) };
  }
}

/** The smallest width, as a power of two, of which `BINS` bins on the grid hold both numbers. They are not both 0. */
function exponentFor(low: number, high: number): number {
  let exponent = Math.floor(Math.log2(high - low)) - Math.log2(BINS) - 1;
  while (Math.floor(high * 2 ** -exponent) - Math.floor(low * 2 ** -exponent) >= BINS) exponent++;
  return exponent;
}
