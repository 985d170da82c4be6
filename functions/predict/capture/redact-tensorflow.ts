/** Bodies of TensorFlow Serving's REST API without what is not to be kept: rows or columns, which bear names only where there are several. */
import type { Redactions } from '../../../lib/artifact/capture.js';
import { zeroed } from './zeroed.js';

/** Rows in front, as TensorFlow Serving itself reads them. */
const MEMBERS = {
  inputs: { rows: 'instances', columns: 'inputs' },
  outputs: { rows: 'predictions', columns: 'outputs' },
};

/**
 * @param names of all inputs or outputs, of the signature
 * @returns undefined where nothing of the body is safe to keep
 */
export function redactTensorFlow(
  text: string,
  side: 'inputs' | 'outputs',
  names: readonly string[],
  redactions: Redactions,
): string | undefined {
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return undefined;
  const { rows, columns } = MEMBERS[side];
  const others = Object.keys(document).filter((key) => key !== rows && key !== columns && key !== 'signature_name');
  // What is neither could be anything, an error's text that quotes a value among it.
  if (others.length > 0) return undefined;
  const redact = (value: unknown) => redactMembers(value, names, redactions);
  const redacted: Record<string, unknown> = { ...document };
  if (rows in document) {
    const list = document[rows];
    if (!Array.isArray(list)) return undefined;
    const done = list.map(redact);
    if (done.some((row) => row === undefined)) return undefined;
    redacted[rows] = done;
  }
  if (columns in document) {
    const done = redact(document[columns]);
    if (done === undefined) return undefined;
    redacted[columns] = done;
  }
  return JSON.stringify(redacted);
}

/** A row or all columns, where they bear names; a value without one is that of the only input, which is redacted: undefined. */
function redactMembers(value: unknown, names: readonly string[], redactions: Redactions): unknown {
  const isNamed =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).every((key) => names.includes(key));
  if (!isNamed) return undefined;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      const redaction = Object.hasOwn(redactions, name) ? redactions[name] : undefined;
      if (redaction === 'drop') return [];
      return [[name, redaction === 'replace' ? zeroed(member) : member]];
    }),
  );
}
