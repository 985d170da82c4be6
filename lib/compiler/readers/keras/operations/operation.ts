/** Operators in a Functional model that are no layers: `keras.ops` of Keras 3, TensorFlow's functions in Keras 2. */
import type { ElementType } from '../../../ir/element-type.js';
import type { Value } from '../../../ir/value.js';
import { cast } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { ReaderError } from '../../reader-error.js';
import { flatNumbers, nestedDims } from '../config-numbers.js';
import { isLayerTensor, tensorsIn } from '../layer.js';
import type { LayerConfig } from '../layer-config.js';

/** Lowers one operator to its outputs. */
export type OperationLowering = (operation: Operation) => readonly Value[];

/** By Keras's class ('GetItem') or TensorFlow's function ('math.add'). */
export type OperationTable = Readonly<Record<string, OperationLowering>>;

/** A call of an operator: its arguments by position or name, whichever way they were given, then by its config. */
export class Operation {
  readonly builder: GraphBuilder;
  /** For messages: "keras.ops Add 'encoder/add_1'". */
  readonly describes: string;
  readonly config: LayerConfig;
  readonly #positional: readonly unknown[];
  readonly #named: Readonly<Record<string, unknown>>;

  /** @param positional tensors are `LayerTensor`s, in lists too; so in `named` */
  constructor(
    builder: GraphBuilder,
    config: LayerConfig,
    positional: readonly unknown[],
    named: Readonly<Record<string, unknown>>,
  ) {
    this.builder = builder;
    this.describes = config.describes;
    this.config = config;
    this.#positional = positional;
    this.#named = named;
  }

  /** As it stands in the file; undefined where the call does not have it. */
  raw(position: number, name: string): unknown {
    if (position < this.#positional.length) return this.#positional[position];
    return this.#named[name] ?? (name === 'self' ? undefined : this.config.raw(name));
  }

  /** A tensor, or a number or list of numbers as a constant of the type of `like`. */
  value(position: number, name: string, like?: ElementType): Value {
    const argument = this.raw(position, name);
    if (isLayerTensor(argument)) return argument.value;
    if (typeof argument === 'boolean') return this.builder.scalar(argument ? 1 : 0, like ?? 'bool');
    if (typeof argument === 'number') return this.#scalar(argument, fitting(argument, like));
    const dims = nestedDims(argument);
    if (dims !== undefined)
      return cast(this.builder, this.builder.floats(flatNumbers(argument), dims), like ?? 'float32');
    throw this.refuse(`argument '${name}' is ${describe(argument)}`);
  }

  #scalar(number: number, type: ElementType): Value {
    try {
      return this.builder.scalar(number, type);
    } catch (error) {
      if (error instanceof RangeError) throw this.refuse(`${number} is no ${type}`);
      throw error;
    }
  }

  /** Two operands of one type: numbers take the tensor's, tensors of different types the wider. */
  pair(first: string, second: string): readonly [Value, Value] {
    const types = [this.raw(0, first), this.raw(1, second)].flatMap((each) =>
      isLayerTensor(each) ? [elementTypeOf(each.value)] : [],
    );
    const numbers = [this.raw(0, first), this.raw(1, second)].flat(3).filter((each) => typeof each === 'number');
    const type = promoted(types, numbers.every(Number.isInteger));
    return [this.value(0, first, type), this.value(1, second, type)].map((value) =>
      cast(this.builder, value, type),
    ) as [Value, Value];
  }

  /** The tensors of a list, or the only one. */
  values(position: number, name: string): readonly Value[] {
    return tensorsIn(this.raw(position, name)).map(({ value }) => value);
  }

  /** The tensors of all arguments without a name: of a function that takes any number. */
  get operands(): readonly Value[] {
    return tensorsIn(this.#positional).map(({ value }) => value);
  }

  /** Of an argument that is a tensor. */
  elementType(position: number, name: string): ElementType | undefined {
    const argument = this.raw(position, name);
    return isLayerTensor(argument) ? elementTypeOf(argument.value) : undefined;
  }

  number(position: number, name: string, fallback?: number): number {
    const argument = this.raw(position, name) ?? fallback;
    if (typeof argument === 'number') return argument;
    throw this.refuse(`argument '${name}' is ${describe(argument)}, not a number`);
  }

  boolean(position: number, name: string, fallback: boolean): boolean {
    const argument = this.raw(position, name) ?? fallback;
    if (typeof argument === 'boolean') return argument;
    throw this.refuse(`argument '${name}' is ${describe(argument)}, neither true nor false`);
  }

  string(position: number, name: string, fallback: string): string {
    const argument = this.raw(position, name) ?? fallback;
    if (typeof argument === 'string') return argument;
    throw this.refuse(`argument '${name}' is ${describe(argument)}, not a text`);
  }

  /** Whole numbers, one or a list; undefined where there are none. */
  integers(position: number, name: string): readonly number[] | undefined {
    const argument = this.raw(position, name);
    if (argument === undefined || argument === null) return undefined;
    const list = Array.isArray(argument) ? (argument as unknown[]) : [argument];
    if (list.every((each) => Number.isSafeInteger(each))) return list as number[];
    throw this.refuse(`argument '${name}' is ${describe(argument)}, not whole numbers`);
  }

  refuse(what: string): ReaderError {
    return new ReaderError({
      code: 'OPERATION_ARGUMENTS',
      message: `${this.describes}: ${what}.`,
      advice: 'This use of the operator is not supported; write it another way, or with a built-in layer.',
    });
  }
}

function describe(argument: unknown): string {
  if (argument === undefined) return 'missing';
  return tensorsIn(argument).length > 0 ? 'a tensor' : String(JSON.stringify(argument)).slice(0, 80);
}

/** The type of a number next to a tensor of type `like`: a fraction makes integers floating point. */
function fitting(number: number, like: ElementType | undefined): ElementType {
  return like ?? (Number.isInteger(number) ? 'int32' : 'float32');
}

const ORDER: readonly ElementType[] = [
  'bool',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'uint64',
  'int64',
  'float32',
];

/** NumPy's promotion, as far as models need it, with float32 above all. */
export function promoted(types: readonly ElementType[], integersOnly = true): ElementType {
  const ranks = types.map((type) => ORDER.indexOf(type)).map((rank) => (rank < 0 ? ORDER.length - 1 : rank));
  if (!integersOnly || ranks.length === 0) ranks.push(ORDER.length - 1);
  return ORDER[Math.max(...ranks)] ?? 'float32';
}
