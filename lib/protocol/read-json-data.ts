/** A tensor's `data` in a JSON request: flat in row-major order, or nested as its shape is. */
import type { DataType } from '../artifact/manifest.js';
import { badRequest, quoted, shapeText } from './bad-request.js';
import { allocate, BIG_INTEGER_RANGES, INTEGER_RANGES, v2DataType } from './data-types.js';
import { integerOfLiteral } from './exact-integers.js';
import { toFloat16Bits } from './float16.js';
import { elementCount } from './shape.js';
import { checkString } from './string-element.js';
import type { NumericData, TensorData } from './tensor.js';

export interface JsonTensor {
  /** What the request calls `data`. */
  readonly data: unknown;
  readonly dataType: DataType;
  readonly shape: readonly number[];
  /** How errors call the tensor. */
  readonly label: string;
  /** The same `data` with the literals of long numbers; asked for only where a double does not hold an integer. */
  readonly exactData: () => unknown;
}

const MAX_HALF = 0x7c00;

/**
 * @throws RequestError `DATA_INVALID`, `ELEMENT_COUNT_MISMATCH`, `NESTING_MISMATCH`, `ELEMENT_INVALID`, `ELEMENT_OUT_OF_RANGE`,
 * `STRING_INVALID`
 */
export function readJsonTensor(tensor: JsonTensor): TensorData {
  const elements = flatten(tensor.data, tensor);
  const { dataType } = tensor;
  switch (dataType) {
    case 'string':
      return readStrings(elements, tensor);
    case 'bool':
      return readBooleans(elements, tensor);
    case 'float16':
    case 'float32':
    case 'float64':
      return readFloats(elements, dataType, tensor);
    case 'int64':
    case 'uint64':
      return readBigIntegers(elements, dataType, tensor);
    default:
      return readIntegers(elements, dataType, tensor);
  }
}

function flatten(data: unknown, { shape, label }: JsonTensor): readonly unknown[] {
  if (!Array.isArray(data)) {
    // A scalar, nested no level deep.
    if (shape.length === 0 && data !== undefined && data !== null && typeof data !== 'object') return [data];
    throw badRequest(
      'DATA_INVALID',
      `The data of ${label} is ${quoted(data)}.`,
      'Send "data" as an array of the elements, or "binary_data_size" in "parameters" with the elements behind the document.',
    );
  }
  // One level deep, nested and flat are the same.
  if (shape.length > 1 && Array.isArray(data[0])) return flattenNested(data, shape, label);
  const count = elementCount(shape);
  if (data.length === count) return data;
  throw badRequest(
    'ELEMENT_COUNT_MISMATCH',
    `The data of ${label} has ${data.length} elements, and its shape ${shapeText(shape)} has ${count}.`,
    'Send as many elements as the product of "shape".',
  );
}

function flattenNested(data: readonly unknown[], shape: readonly number[], label: string): readonly unknown[] {
  let rows: readonly unknown[] = [data];
  for (const [axis, size] of shape.entries()) {
    const elements: unknown[] = [];
    for (const row of rows) {
      if (!Array.isArray(row) || row.length !== size) throw nestingMismatch(row, axis, shape, label);
      for (const element of row) elements.push(element);
    }
    rows = elements;
  }
  return rows;
}

function nestingMismatch(row: unknown, axis: number, shape: readonly number[], label: string) {
  return badRequest(
    'NESTING_MISMATCH',
    `The nested data of ${label} has ${quoted(row)} along axis ${axis}, and its shape is ${shapeText(shape)}.`,
    'Nest "data" exactly as "shape" says, or send it flat in row-major order.',
  );
}

function readStrings(elements: readonly unknown[], tensor: JsonTensor): readonly string[] {
  return elements.map((element, index) => {
    if (typeof element !== 'string') throw elementInvalid(tensor, index, element, 'strings');
    checkString(element, tensor.label, index);
    return element;
  });
}

function readBooleans(elements: readonly unknown[], tensor: JsonTensor): NumericData {
  const data = new Uint8Array(elements.length);
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index];
    if (element === true || element === 1) data[index] = 1;
    else if (element !== false && element !== 0) throw elementInvalid(tensor, index, element, 'true and false');
  }
  return data;
}

function readFloats(
  elements: readonly unknown[],
  dataType: 'float16' | 'float32' | 'float64',
  tensor: JsonTensor,
): NumericData {
  // allocate() makes the array of the type that it is given.
  const data = allocate(dataType, elements.length) as Uint16Array | Float32Array | Float64Array;
  const isHalf = dataType === 'float16';
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index];
    if (typeof element !== 'number') throw elementInvalid(tensor, index, element, 'numbers');
    const stored = isHalf ? toFloat16Bits(element) : element;
    data[index] = stored;
    const fits = isHalf ? (stored & MAX_HALF) !== MAX_HALF : Number.isFinite(data[index]);
    if (!fits) throw outOfRange(tensor, index, element);
  }
  return data;
}

function readIntegers(
  elements: readonly unknown[],
  dataType: keyof typeof INTEGER_RANGES,
  tensor: JsonTensor,
): NumericData {
  const [min, max] = INTEGER_RANGES[dataType];
  const data = allocate(dataType, elements.length) as Int32Array;
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index];
    if (!Number.isInteger(element)) throw elementInvalid(tensor, index, element, 'integers');
    // Number.isInteger has seen a number.
    const integer = element as number;
    if (integer < min || integer > max) throw outOfRange(tensor, index, integer);
    data[index] = integer;
  }
  return data;
}

function readBigIntegers(
  elements: readonly unknown[],
  dataType: keyof typeof BIG_INTEGER_RANGES,
  tensor: JsonTensor,
): NumericData {
  const [min, max] = BIG_INTEGER_RANGES[dataType];
  const data = allocate(dataType, elements.length) as BigInt64Array;
  let literals: readonly unknown[] | undefined;
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index];
    if (typeof element !== 'number') throw elementInvalid(tensor, index, element, 'integers');
    let integer: bigint | undefined;
    if (Number.isSafeInteger(element)) {
      integer = BigInt(element);
    } else {
      literals ??= flatten(tensor.exactData(), tensor);
      integer = integerOfLiteral(String(literals[index]));
    }
    if (integer === undefined) throw elementInvalid(tensor, index, element, 'integers');
    if (integer < min || integer > max) throw outOfRange(tensor, index, integer);
    data[index] = integer;
  }
  return data;
}

function elementInvalid({ label, dataType }: JsonTensor, index: number, element: unknown, wanted: string) {
  return badRequest(
    'ELEMENT_INVALID',
    `Element ${index} of ${label} is ${quoted(element)}, and ${v2DataType(dataType)} takes ${wanted}.`,
    'Correct that element, or the data type.',
  );
}

function outOfRange({ label, dataType }: JsonTensor, index: number, element: unknown) {
  return badRequest(
    'ELEMENT_OUT_OF_RANGE',
    `Element ${index} of ${label} is ${quoted(element)}, which ${v2DataType(dataType)} cannot hold.`,
    'Send numbers that the data type holds; infinite ones go in the binary form.',
  );
}
