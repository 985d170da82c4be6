/** What a source holds that no table of this version lowers, gathered over the whole model, so that one error tells everything. */
import { ReaderError } from './reader-error.js';

export interface UnsupportedDetails {
  /** Why, as a clause, where more is to be said than that no table has it: 'it holds Python code, which is never run'. */
  readonly reason?: string;
  /** What to do about this kind. Default: the advice of the collector. */
  readonly advice?: string;
}

interface Kind {
  count: number;
  /** The first ones, in the order of the source. */
  readonly places: string[];
  readonly details: UnsupportedDetails;
}

const NOUNS = {
  layer: { code: 'LAYER_UNSUPPORTED', plural: 'layers' },
  operator: { code: 'OPERATOR_UNSUPPORTED', plural: 'operators' },
} as const;

const DEFAULT_ADVICE: Readonly<Record<keyof typeof NOUNS, string>> = {
  layer: 'Replace these layers by supported ones and save the model again, or export it to ONNX where it was made.',
  operator:
    'Change the model so that it does without them and export it again, or export it to ONNX where it was made.',
};

/** How many kinds are listed, and places of each: a hostile file has as many as it likes. */
const LISTED_KINDS = 20;
const LISTED_PLACES = 3;
const LONGEST_NAME = 120;

/**
 * Readers look through the source before they lower any of it, `add` what no table has, and `check` once.
 *
 * @example
 * const unsupported = new UnsupportedOperations('layer');
 * for (const layer of layers) if (table[layer.className] === undefined) unsupported.add(layer.className, layer.path);
 * unsupported.check();
 */
export class UnsupportedOperations {
  readonly #noun: keyof typeof NOUNS;
  readonly #advice: string;
  readonly #kinds = new Map<string, Kind>();

  constructor(noun: keyof typeof NOUNS, advice: string = DEFAULT_ADVICE[noun]) {
    this.#noun = noun;
    this.#advice = advice;
  }

  /** @param kind the layer's class or the operator's name; @param place the layer's path or the node's name */
  add(kind: string, place: string, details: UnsupportedDetails = {}): void {
    const known = this.#kinds.get(kind);
    if (known === undefined) {
      this.#kinds.set(kind, { count: 1, places: [place], details });
      return;
    }
    known.count++;
    if (known.places.length < LISTED_PLACES) known.places.push(place);
  }

  /** How many were added. */
  get count(): number {
    return [...this.#kinds.values()].reduce((sum, { count }) => sum + count, 0);
  }

  /** @throws ReaderError LAYER_UNSUPPORTED or OPERATOR_UNSUPPORTED, where anything was added: each kind, how often, and the first places */
  check(): void {
    if (this.#kinds.size === 0) return;
    const { code, plural } = NOUNS[this.#noun];
    const kinds = [...this.#kinds].sort(([, a], [, b]) => b.count - a.count);
    const lines = kinds.slice(0, LISTED_KINDS).map(([kind, found]) => `  ${lineOf(kind, found)}`);
    if (kinds.length > LISTED_KINDS) lines.push(`  and ${kinds.length - LISTED_KINDS} more kinds`);
    const { count } = this;
    const what = count === 1 ? `1 ${this.#noun} is` : `${count} ${plural} of ${numberOf(kinds.length, 'kind')} are`;
    const advice = new Set(kinds.map(([, { details }]) => details.advice ?? this.#advice));
    throw new ReaderError({
      code,
      message: `${what} not supported:\n${lines.join('\n')}`,
      advice: [...advice].slice(0, LISTED_KINDS).join(' '),
    });
  }
}

function lineOf(kind: string, { count, places, details: { reason } }: Kind): string {
  const named = places.map((place) => `'${clipped(place)}'`).join(', ');
  const more = count > places.length ? `, and ${count - places.length} more` : '';
  return `${clipped(kind)}, ${count} ×: ${named}${more}${reason === undefined ? '' : ` (${reason})`}`;
}

function numberOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function clipped(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
}
