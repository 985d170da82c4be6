/** What names mean inside a function's body. */
import type { FunctionDef, NodeDef } from '../../../formats/tensorflow/graph-def.js';
import { ReaderError } from '../../reader-error.js';
import { isControl, outputIndex, referenceText } from './references.js';

/** One call of a function: its nodes have other names in the graph that they are expanded into. */
export class BodyScope {
  readonly #of: string;
  readonly #arguments: ReadonlyMap<string, string>;
  readonly #nodes: ReadonlyMap<string, NodeDef>;
  readonly #names: ReadonlyMap<string, string>;
  readonly #called: (node: NodeDef) => FunctionDef | undefined;

  constructor(
    { name, inputs: declared }: FunctionDef,
    nodes: readonly NodeDef[],
    inputs: readonly string[],
    names: ReadonlyMap<string, string>,
    called: (node: NodeDef) => FunctionDef | undefined,
  ) {
    this.#of = name;
    this.#arguments = new Map(declared.map((argument, index) => [argument.name, inputs[index] ?? '']));
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#names = names;
    this.#called = called;
  }

  /** In the graph that the body is expanded into; undefined for a control on an argument. */
  reference(input: string): string | undefined {
    if (!isControl(input)) return this.required(input);
    const name = this.#names.get(input.slice(1));
    if (name !== undefined) return `^${name}`;
    if (this.#arguments.has(input.slice(1))) return undefined;
    throw this.#unknown(input);
  }

  required(input: string): string {
    const [node = '', argument = '', position = '0'] = input.split(':');
    const known = this.#nodes.get(node);
    const name = this.#names.get(node);
    if (known === undefined || name === undefined) {
      const value = this.#arguments.get(node);
      if (value !== undefined && value !== '') return value;
      throw this.#unknown(input);
    }
    const index = outputIndex(known, argument, Number(position), this.#called(known));
    if (index === undefined || !Number.isSafeInteger(index)) throw this.#unknown(input);
    return referenceText({ node: name, index });
  }

  #unknown(input: string): ReaderError {
    return new ReaderError({
      code: 'FUNCTION_REFERENCE',
      message: `Function '${this.#of}' reads '${input}', which is not in it.`,
      advice: 'The file is damaged; export the model again.',
    });
  }
}
