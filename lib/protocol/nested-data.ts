/** A tensor as TensorFlow Serving writes it: nested arrays that have its shape, without naming it. */
import type { DataType } from '../artifact/manifest.js';
import { badRequest, quoted } from './bad-request.js';

export interface NestedData {
  /** In row-major order; of a tensor of strings, `{ "b64": … }` is decoded. */
  readonly elements: readonly unknown[];
  readonly shape: readonly number[];
}

/** As deep as any tensor here may be nested. */
const MAX_RANK = 32;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * @throws RequestError `NESTING_TOO_DEEP`, `NESTING_UNEVEN`, `BASE64_INVALID`, `STRING_INVALID`
 */
export function readNested(
  value: unknown,
  { dataType, label }: { readonly dataType: DataType; readonly label: string },
): NestedData {
  const shape: number[] = [];
  let elements: readonly unknown[] = [value];
  while (Array.isArray(elements[0])) {
    if (shape.length === MAX_RANK) {
      throw badRequest(
        'NESTING_TOO_DEEP',
        `The data of ${label} is nested more than ${MAX_RANK} levels deep.`,
        'Nest the data as deep as the tensor has dimensions.',
      );
    }
    shape.push(elements[0].length);
    elements = flattened(elements, elements[0].length, label);
  }
  // An array among elements is refused by the type that the elements must have, but its advice would be about types.
  const array = elements.find(Array.isArray);
  if (array !== undefined) throw uneven(array, undefined, label);
  if (dataType !== 'string') return { elements, shape };
  return {
    elements: elements.map((element) => (isBase64Value(element) ? decodeBase64(element.b64, label) : element)),
    shape,
  };
}

/** One level less. The only row is taken as it is: a copy of millions of elements would cost as much as they do. */
function flattened(rows: readonly unknown[], size: number, label: string): readonly unknown[] {
  const [first] = rows;
  if (rows.length === 1 && Array.isArray(first)) return first;
  const elements = new Array<unknown>(rows.length * size);
  let count = 0;
  for (const row of rows) {
    if (!Array.isArray(row) || row.length !== size) throw uneven(row, size, label);
    for (const element of row) elements[count++] = element;
  }
  return elements;
}

function uneven(row: unknown, size: number | undefined, label: string) {
  return badRequest(
    'NESTING_UNEVEN',
    `The data of ${label} has ${quoted(row)} where its neighbours are ${size === undefined ? 'single elements' : `arrays of ${size}`}.`,
    'Nest the data evenly: rows of one level have the same length.',
  );
}

/** `{ "b64": … }`: bytes in a document that has none. */
export function isBase64Value(value: unknown): value is { readonly b64: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'b64') && Object.keys(value).length === 1;
}

function decodeBase64(text: unknown, label: string): string {
  if (typeof text !== 'string' || !BASE64.test(text)) {
    throw badRequest(
      'BASE64_INVALID',
      `An element of ${label} has ${quoted(text)} as its b64.`,
      'Send base64 of the alphabet with + and /, without line breaks.',
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64'));
  } catch {
    throw badRequest(
      'STRING_INVALID',
      `An element of ${label} is not UTF-8 when its b64 is decoded.`,
      'onnxruntime holds strings as UTF-8: encode binary content once more, for example as base64, if the model expects that.',
    );
  }
}
