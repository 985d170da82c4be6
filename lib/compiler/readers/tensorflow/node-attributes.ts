/** A node's attributes, read with types: what is absent has TensorFlow's default, which exporters leave out. */

import type { NodeDef, TensorFlowShape, TensorFlowTensor, TensorFlowType } from '../../formats/tensorflow/graph-def.js';
import type { ElementType } from '../../ir/element-type.js';
import { ReaderError } from '../reader-error.js';
import { elementTypeFrom } from './element-types.js';

/** What attributes of a kind hold. */
interface Values {
  readonly int: bigint;
  readonly float: number;
  readonly bool: boolean;
  readonly string: Uint8Array;
  readonly tensor: TensorFlowTensor;
  readonly type: TensorFlowType;
  readonly shape: TensorFlowShape;
}

const decoder = new TextDecoder();

export class NodeAttributes {
  readonly #node: NodeDef;

  constructor(node: NodeDef) {
    this.#node = node;
  }

  has(name: string): boolean {
    return this.#node.attributes.has(name);
  }

  /** @throws ReaderError OP_ATTRIBUTE, as all here */
  int(name: string, fallback?: number): number {
    const value = this.#value(name, 'int', fallback === undefined ? undefined : BigInt(fallback));
    return Number(value);
  }

  float(name: string, fallback?: number): number {
    return this.#value(name, 'float', fallback);
  }

  bool(name: string, fallback?: boolean): boolean {
    return this.#value(name, 'bool', fallback);
  }

  string(name: string, fallback?: string): string {
    const value = this.#node.attributes.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    return decoder.decode(this.#value(name, 'string'));
  }

  tensor(name: string): TensorFlowTensor {
    return this.#value(name, 'tensor');
  }

  type(name: string, fallback?: TensorFlowType): TensorFlowType {
    return this.#value(name, 'type', fallback);
  }

  /** Of the IR. @throws ReaderError OP_ATTRIBUTE, OP_TYPE for types that ONNX lacks */
  elementType(name: string, fallback?: TensorFlowType): ElementType {
    return elementTypeFrom(this.type(name, fallback), `${this.#describe()}, attribute '${name}'`);
  }

  /** undefined: of unknown rank, or not there. */
  shape(name: string): TensorFlowShape {
    return this.#node.attributes.has(name) ? this.#value(name, 'shape') : undefined;
  }

  ints(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#list(name, 'int', fallback?.map(BigInt)).map(Number);
  }

  floats(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#list(name, 'float', fallback);
  }

  types(name: string, fallback?: readonly TensorFlowType[]): readonly TensorFlowType[] {
    return this.#list(name, 'type', fallback);
  }

  strings(name: string, fallback?: readonly string[]): readonly string[] {
    const value = this.#node.attributes.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    return this.#list(name, 'string').map((text) => decoder.decode(text));
  }

  /** The name of a function. */
  functionName(name: string): string {
    const value = this.#node.attributes.get(name);
    if (value?.kind === 'function') return value.name;
    throw this.#wrong(name, 'a function');
  }

  functionNames(name: string): readonly string[] {
    const value = this.#node.attributes.get(name);
    if (value?.kind !== 'list') throw this.#wrong(name, 'a list of functions');
    return value.values.map((each) => {
      if (each.kind !== 'function') throw this.#wrong(name, 'a list of functions');
      return each.name;
    });
  }

  #value<K extends keyof Values>(name: string, kind: K, fallback?: Values[K]): Values[K] {
    const value = this.#node.attributes.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (value?.kind !== kind) throw this.#wrong(name, NAMES[kind]);
    // The kind says what the value is, which the compiler does not follow through a parameter.
    return (value as unknown as { readonly value: Values[K] }).value;
  }

  #list<K extends keyof Values>(name: string, kind: K, fallback?: readonly Values[K][]): readonly Values[K][] {
    const value = this.#node.attributes.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (value?.kind !== 'list') throw this.#wrong(name, `a list, each ${NAMES[kind]}`);
    return value.values.map((each) => {
      if (each.kind !== kind) throw this.#wrong(name, `a list, each ${NAMES[kind]}`);
      return (each as unknown as { readonly value: Values[K] }).value;
    });
  }

  #describe(): string {
    return `${this.#node.op} '${this.#node.name}'`;
  }

  #wrong(name: string, what: string): ReaderError {
    const found = this.#node.attributes.get(name)?.kind ?? 'missing';
    return new ReaderError({
      code: 'OP_ATTRIBUTE',
      message: `${this.#describe()}: attribute '${name}' should be ${what}, and is ${found}.`,
      advice: 'The file is damaged or was written by a faulty exporter; export the model again.',
    });
  }
}

const NAMES = {
  int: 'a whole number',
  float: 'a number',
  bool: 'true or false',
  string: 'a text',
  tensor: 'a tensor',
  type: 'a type',
  shape: 'a shape',
} as const;
