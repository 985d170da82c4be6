/** How nodes name what they read. */
import type { FunctionDef, NodeDef } from '../../../formats/tensorflow/graph-def.js';
import { outputArguments } from './output-arguments.js';

/** Output `index` of a node of a graph. */
export interface Reference {
  readonly node: string;
  readonly index: number;
}

export function isControl(input: string): boolean {
  return input.startsWith('^');
}

/** `node` is its output 0, `node:1` another; not for control inputs. */
export function parseReference(input: string): Reference {
  const [, node = input, index = '0'] = /^(.*):(\d{1,9})$/s.exec(input) ?? [];
  return { node, index: Number(index) };
}

export function referenceText({ node, index }: Reference): string {
  return index === 0 ? node : `${node}:${index}`;
}

/** The node that an input comes from, in a graph or a function's body, controls too. */
export function nodeOf(input: string): string {
  const start = input.startsWith('^') ? 1 : 0;
  const end = input.indexOf(':', start);
  return end === -1 ? input.slice(start) : input.slice(start, end);
}

/**
 * The number of a node's output that a function's body calls `node:argument:position`.
 * @param called the function that the node calls, where its op is one
 */
export function outputIndex(
  node: NodeDef,
  argument: string,
  position: number,
  called: FunctionDef | undefined,
): number | undefined {
  if (called !== undefined) {
    const at = called.outputs.findIndex(({ name }) => name === argument);
    return at === -1 ? undefined : at;
  }
  const names = outputArguments(node.op);
  // Operators with one output argument, be it a list, are not in the table.
  if (names === undefined) return position;
  let offset = 0;
  for (const { name, length } of names) {
    if (name === argument) return offset + position;
    offset += listLength(node, length);
  }
  return undefined;
}

/** @param length the attribute that says how many outputs an argument is; undefined: it is one */
function listLength({ attributes }: NodeDef, length: string | undefined): number {
  if (length === undefined) return 1;
  const value = attributes.get(length);
  if (value?.kind === 'int') return Number(value.value);
  return value?.kind === 'list' ? value.values.length : 1;
}
