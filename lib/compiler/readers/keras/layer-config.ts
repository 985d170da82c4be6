/** A layer's `config`, read with types: what is there is checked, what is absent has Keras's default. */
import { ReaderError } from '../reader-error.js';

export class LayerConfig {
  readonly #values: Readonly<Record<string, unknown>>;
  /** For messages: the layer's class and path, "Conv2D 'encoder/conv_1'". */
  readonly #of: string;

  constructor(values: Readonly<Record<string, unknown>>, of: string) {
    this.#values = values;
    this.#of = of;
  }

  get describes(): string {
    return this.#of;
  }

  /** As the file has them. */
  get values(): Readonly<Record<string, unknown>> {
    return this.#values;
  }

  /** As the file has it. */
  raw(name: string): unknown {
    return this.#values[name];
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null;
  }

  number(name: string, fallback?: number): number {
    return this.#typed(name, fallback, 'a number', (value) => typeof value === 'number');
  }

  boolean(name: string, fallback?: boolean): boolean {
    return this.#typed(name, fallback, 'true or false', (value) => typeof value === 'boolean');
  }

  string(name: string, fallback?: string): string {
    return this.#typed(name, fallback, 'a text', (value) => typeof value === 'string');
  }

  /** A list of whole numbers; one number stands for `rank` equal ones. */
  integers(name: string, rank: number | undefined, fallback?: readonly number[]): readonly number[] {
    const value = this.#values[name];
    if (rank !== undefined && typeof value === 'number') return Array.from({ length: rank }, () => value);
    return this.#typed(name, fallback, rank === undefined ? 'whole numbers' : `${rank} whole numbers`, (list) => {
      return Array.isArray(list) && list.every(Number.isInteger) && (rank === undefined || list.length === rank);
    });
  }

  /** A nested object's own config: `{ class_name, config }`, as Keras serializes layers, activations and initializers. */
  object(name: string): { readonly className: string; readonly config: LayerConfig } | undefined {
    const value = this.#values[name];
    if (typeof value !== 'object' || value === null || !('class_name' in value)) return undefined;
    const { class_name: className, config } = value as { class_name: unknown; config?: unknown };
    const fields = typeof config === 'object' && config !== null ? (config as Record<string, unknown>) : {};
    return { className: String(className), config: new LayerConfig(fields, `${String(className)} in ${this.#of}`) };
  }

  /** A choice that this version does not lower. */
  refuse(name: string, advice: string): ReaderError {
    return new ReaderError({
      code: 'LAYER_OPTION_UNSUPPORTED',
      message: `${this.#of}: ${name} = ${JSON.stringify(this.#values[name])} is not supported.`,
      advice,
    });
  }

  #typed<Type>(name: string, fallback: Type | undefined, what: string, holds: (value: unknown) => boolean): Type {
    const value = this.#values[name] ?? fallback;
    if (value !== undefined && holds(value)) return value as Type;
    throw new ReaderError({
      code: 'LAYER_CONFIG',
      message: `${this.#of}: ${name} should be ${what}, and is ${JSON.stringify(this.#values[name]) ?? 'missing'}.`,
      advice: 'The file is damaged, or was written by a Keras that is not known here; save the model again.',
    });
  }
}
