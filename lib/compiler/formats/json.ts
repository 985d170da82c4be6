/** JSON of unknown origin: what stands in model files beside their weights. */
import { ModelFormatError } from '../../errors.js';

/** Exporters nest models in models and configs in configs: some twenty levels. What walks them may call itself. */
const MAX_DEPTH = 200;

/**
 * @param what for messages: "config.json of the Keras archive"
 * @throws ModelFormatError JSON_INVALID, JSON_DEPTH
 */
export function parseJson(text: string, what: string): unknown {
  checkDepth(text, what);
  try {
    return parsePythonJson(text);
  } catch (cause) {
    throw new ModelFormatError({
      code: 'JSON_INVALID',
      message: `${what} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}.`,
      advice: 'The file is damaged or incomplete. Download or save it again.',
      cause,
    });
  }
}

/** Python writes numbers that JSON does not have. */
function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return JSON.parse(withoutPythonNumbers(text));
  }
}

/** Infinity as a number too large for any, NaN as null, outside of texts. */
function withoutPythonNumbers(text: string): string {
  const parts: string[] = [];
  let start = 0;
  for (let position = 0; position < text.length; position++) {
    if (text[position] === '"') position = endOfText(text, position);
    for (const [name, number] of PYTHON_NUMBERS) {
      if (!text.startsWith(name, position)) continue;
      parts.push(text.slice(start, position), number);
      start = position + name.length;
      position = start - 1;
    }
  }
  return parts.join('') + text.slice(start);
}

const PYTHON_NUMBERS = [
  ['NaN', 'null'],
  ['Infinity', '1e999'],
] as const;

/** @throws ModelFormatError JSON_INVALID for bytes that are not UTF-8, and what `parseJson` throws */
export function parseJsonBytes(bytes: Uint8Array, what: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ModelFormatError({
      code: 'JSON_INVALID',
      message: `${what} is not UTF-8.`,
      advice: 'The file is damaged or incomplete. Download or save it again.',
      cause,
    });
  }
  return parseJson(text, what);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkDepth(text: string, what: string): void {
  let depth = 0;
  for (let position = 0; position < text.length; position++) {
    const character = text[position];
    if (character === '"') position = endOfText(text, position);
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    if (depth > MAX_DEPTH) {
      throw new ModelFormatError({
        code: 'JSON_DEPTH',
        message: `${what} is nested more than ${MAX_DEPTH} levels deep (character ${position}).`,
        advice: 'No exporter nests models this deep: the file is damaged or hostile.',
      });
    }
  }
}

/** The position of the quotation mark that ends a text which begins at `start`. */
function endOfText(text: string, start: number): number {
  for (let position = start + 1; position < text.length; position++) {
    if (text[position] === '\\') position++;
    else if (text[position] === '"') return position;
  }
  return text.length;
}
