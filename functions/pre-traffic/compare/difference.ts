/** What tells two answers apart, without what they say: names, numbers of elements, sizes of differences. */
import type { NumericTolerance } from '../../../lib/artifact/replay.js';

export type Difference =
  | { readonly kind: 'status'; readonly live: number; readonly new: number }
  | { readonly kind: 'error-code'; readonly live: string; readonly new: string }
  | { readonly kind: 'content-type'; readonly live: string; readonly new: string }
  /** In one of the two only. */
  | { readonly kind: 'missing' | 'added'; readonly name: string }
  /** Of another type, shape or length. */
  | { readonly kind: 'form'; readonly name: string }
  /** Texts, labels and integers that are not equal. */
  | { readonly kind: 'unequal'; readonly name: string; readonly elements: number; readonly of: number }
  /** Numbers that are further apart than the tolerance. */
  | {
      readonly kind: 'apart';
      readonly name: string;
      readonly elements: number;
      readonly of: number;
      /** Between any two of them. */
      readonly largest: number | 'infinite';
    };

interface Tally {
  of: number;
  unequal: number;
  apart: number;
  largest: number;
}

/** Gathers differences by name: of arrays and tensors with millions of elements one line is left. */
export class DifferenceTally {
  private readonly tallies = new Map<string, Tally>();
  private readonly others: Difference[] = [];

  constructor(private readonly tolerance: NumericTolerance) {}

  add(difference: Difference): void {
    const isKnown = this.others.some((other) => JSON.stringify(other) === JSON.stringify(difference));
    if (!isKnown) this.others.push(difference);
  }

  compareNumbers(name: string, live: number, next: number): void {
    const tally = this.tallyOf(name);
    tally.of += 1;
    // Both infinite of one sign, or both not a number.
    if (Object.is(live, next) || live === next) return;
    const distance = Math.abs(live - next);
    const { absolute, relative } = this.tolerance;
    const allowed = absolute + relative * Math.abs(live);
    // An infinite number would allow any other.
    if (Number.isFinite(allowed) && distance <= allowed) return;
    tally.apart += 1;
    tally.largest = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(tally.largest, distance);
  }

  compareExactly(name: string, live: unknown, next: unknown): void {
    const tally = this.tallyOf(name);
    tally.of += 1;
    if (live !== next) tally.unequal += 1;
  }

  get differences(): readonly Difference[] {
    return [
      ...this.others,
      ...[...this.tallies].flatMap(([name, { of, unequal, apart, largest }]): Difference[] => [
        ...(unequal === 0 ? [] : [{ kind: 'unequal' as const, name, elements: unequal, of }]),
        ...(apart === 0 ? [] : [{ kind: 'apart' as const, name, elements: apart, of, largest: written(largest) }]),
      ]),
    ];
  }

  private tallyOf(name: string): Tally {
    const found = this.tallies.get(name);
    if (found !== undefined) return found;
    const tally = { of: 0, unequal: 0, apart: 0, largest: 0 };
    this.tallies.set(name, tally);
    return tally;
  }
}

/** JSON has no infinity. */
function written(largest: number): number | 'infinite' {
  return Number.isFinite(largest) ? largest : 'infinite';
}
