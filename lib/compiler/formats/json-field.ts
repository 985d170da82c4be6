/** JSON that a stranger wrote, read with types: what is there is checked, and errors name the place. */
import { ModelFormatError } from '../../errors.js';

/** One value in a document; undefined where the document has nothing there. */
export class JsonField {
  readonly value: unknown;
  /** For messages: `modelTopology.node[3].attr`. */
  readonly path: string;

  constructor(value: unknown, path: string) {
    this.value = value;
    this.path = path;
  }

  /** Whether there is something, other than null. */
  get exists(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  get isList(): boolean {
    return Array.isArray(this.value);
  }

  /** A member of an object; of anything else, nothing. */
  field(name: string): JsonField {
    const { value } = this;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name);
    const path = this.path === '' ? name : `${this.path}.${name}`;
    return new JsonField(isObject ? (value as Record<string, unknown>)[name] : undefined, path);
  }

  /** The first of several spellings that is there. */
  anyField(...names: readonly string[]): JsonField {
    const [first = ''] = names;
    return names.map((name) => this.field(name)).find(({ exists }) => exists) ?? this.field(first);
  }

  /** An object's members; nothing where the field is absent. */
  members(): (readonly [string, JsonField])[] {
    if (!this.exists) return [];
    if (typeof this.value !== 'object' || Array.isArray(this.value)) throw this.wrong('an object');
    return Object.keys(this.value as object).map((name) => [name, this.field(name)]);
  }

  /** A list's elements; nothing where the field is absent. */
  list(): JsonField[] {
    if (!this.exists) return [];
    if (!Array.isArray(this.value)) throw this.wrong('a list');
    return this.value.map((value: unknown, index) => new JsonField(value, `${this.path}[${index}]`));
  }

  string(fallback?: string): string {
    if (!this.exists && fallback !== undefined) return fallback;
    if (typeof this.value !== 'string') throw this.wrong('a text');
    return this.value;
  }

  number(fallback?: number): number {
    if (!this.exists && fallback !== undefined) return fallback;
    if (typeof this.value !== 'number') throw this.wrong('a number');
    return this.value;
  }

  boolean(fallback?: boolean): boolean {
    if (!this.exists && fallback !== undefined) return fallback;
    if (typeof this.value !== 'boolean') throw this.wrong('true or false');
    return this.value;
  }

  /** A dimension or a count: a whole number from 0. */
  size(): number {
    if (!Number.isSafeInteger(this.value) || (this.value as number) < 0) throw this.wrong('a whole number from 0');
    return this.value as number;
  }

  wrong(what: string): ModelFormatError {
    const text = JSON.stringify(this.value) ?? 'missing';
    return new ModelFormatError({
      code: 'JSON_FIELD',
      message: `'${this.path}' should be ${what}, and is ${text.length > 80 ? `${text.slice(0, 80)}…` : text}.`,
      advice: 'The file is damaged or was written by a faulty exporter; export the model again.',
    });
  }
}
