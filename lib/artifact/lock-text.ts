/** The text of a lock: short lines that a person can read and a version control system can compare. */
import type { Json } from './digest.js';
import type { Lock } from './lock.js';

/** A node with its recipe is a line. */
const LINE = 320;
/** A scale per channel is a long list, and a number a line would help nobody. */
const MAX_LINE = 4000;

/** The same lock gives the same text; it ends with a line break. */
export function lockText(lock: Lock): string {
  return `${print(lock as unknown as Json, '')}\n`;
}

function print(value: Json, indentation: string): string {
  const line = JSON.stringify(value);
  if (value === null || typeof value !== 'object') return line;
  if (indentation.length + line.length <= LINE) return line;
  const inner = `${indentation}  `;
  if (isList(value)) {
    if (value.every((item) => typeof item === 'number') && line.length <= MAX_LINE) return line;
    return `[\n${value.map((item) => inner + print(item, inner)).join(',\n')}\n${indentation}]`;
  }
  const members = Object.entries(value).flatMap(([key, child]) =>
    child === undefined ? [] : [`${inner}${JSON.stringify(key)}: ${print(child, inner)}`],
  );
  return `{\n${members.join(',\n')}\n${indentation}}`;
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
