/** The integers that a quantized tensor may hold. */
import type { IntegerType } from '../../../artifact/recipe.js';

export interface IntegerRange {
  readonly lowest: number;
  readonly highest: number;
}

export interface IntegerRangeOptions {
  /** Without the lowest signed integer, so that 0 is in the middle. Default false. */
  readonly symmetric?: boolean;
  /** One bit less, so that sums of two products of 8 bits fit 16 on x64 without VNNI. Default false; wins over `symmetric`. */
  readonly reduceRange?: boolean;
}

const BITS: Readonly<Record<IntegerType, number>> = { int8: 8, uint8: 8, int16: 16, uint16: 16, int4: 4, uint4: 4 };

export function isSigned(dataType: IntegerType): boolean {
  return dataType.startsWith('int');
}

/** Everything that the type can hold. */
export function fullRange(dataType: IntegerType): IntegerRange {
  const count = 2 ** BITS[dataType];
  return isSigned(dataType) ? { lowest: -count / 2, highest: count / 2 - 1 } : { lowest: 0, highest: count - 1 };
}

/** The integers to spread a range of numbers over, as onnxruntime's quantizer chooses them. */
export function integerRange(dataType: IntegerType, options: IntegerRangeOptions = {}): IntegerRange {
  const { lowest, highest } = fullRange(dataType);
  const count = highest - lowest + 1;
  if (options.reduceRange === true) {
    if (!isSigned(dataType)) return { lowest: 0, highest: count / 2 - 1 };
    // 8 and 16 bits are symmetric, [-64, 64]; 4 bits have too few to spare one: [-4, 3].
    return { lowest: -count / 4, highest: BITS[dataType] === 4 ? count / 4 - 1 : count / 4 };
  }
  const isNarrowed = options.symmetric === true && isSigned(dataType) && BITS[dataType] > 4;
  return { lowest: isNarrowed ? lowest + 1 : lowest, highest };
}
