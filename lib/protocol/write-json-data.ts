/** A tensor's elements as the text of a JSON array. */
import { fromFloat16Bits } from './float16.js';
import { isStrings, type NamedTensor, type NumericData } from './tensor.js';

/** The text, or the index of an element that JSON cannot write. */
export type JsonData =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'non-finite'; readonly index: number };

/** Flat, in row-major order. Reading it back gives exactly the elements. */
export function writeJsonData({ data, dataType }: Pick<NamedTensor, 'data' | 'dataType'>): JsonData {
  if (isStrings(data)) return { kind: 'text', text: JSON.stringify(data) };
  switch (dataType) {
    case 'bool':
      return { kind: 'text', text: `[${Array.from(data as Uint8Array, (bit) => bit !== 0).join(',')}]` };
    case 'float16':
      return writeFloats(Float64Array.from(data as Uint16Array, fromFloat16Bits));
    case 'float32':
    case 'float64':
      return writeFloats(data as Float64Array);
    default:
      return { kind: 'text', text: `[${joined(data)}]` };
  }
}

const PART = 1 << 16;

/** As `join(',')`, which holds a string for each of millions of elements at once. */
function joined(data: NumericData): string {
  if (data.length <= PART) return data.join(',');
  const parts: string[] = [];
  for (let start = 0; start < data.length; start += PART) parts.push(data.subarray(start, start + PART).join(','));
  return parts.join(',');
}

/** A double prints in the shortest form that reads back as the same double, which for a float32 is its exact value. */
function writeFloats(numbers: Float32Array | Float64Array): JsonData {
  let hasNegativeZero = false;
  for (let index = 0; index < numbers.length; index++) {
    const value = numbers[index] ?? 0;
    if (!Number.isFinite(value)) return { kind: 'non-finite', index };
    if (Object.is(value, -0)) hasNegativeZero = true;
  }
  if (!hasNegativeZero) return { kind: 'text', text: JSON.stringify(Array.from(numbers)) };
  // JSON.stringify writes -0 as 0; many readers take `-0` for an integer and lose the sign, so it gets a fraction.
  const literals = Array.from(numbers, (value) => (Object.is(value, -0) ? '-0.0' : String(value)));
  return { kind: 'text', text: `[${literals.join(',')}]` };
}
