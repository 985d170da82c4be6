import type { FlatTable } from '../flatbuffers/flat-table.js';
import type { TfliteQuantization } from './model.js';

/**
 * Undefined where a tensor has no scales: converters write an empty table for float tensors, or one with the range that was seen only.
 * @throws ModelFormatError TFLITE_QUANTIZATION
 */
export function decodeQuantization(table: FlatTable, shape: readonly number[]): TfliteQuantization | undefined {
  const scales = table.numbers(2, 'scale', 'float32') ?? [];
  if (scales.length === 0) return undefined;
  const zeroPoints = table.numbers(3, 'zero_point', 'int64') ?? [];
  const dimension = table.int32(6);
  const fail = (what: string) => table.error('TFLITE_QUANTIZATION', `${table.place} ${what}`);
  if (!scales.every((scale) => Number.isFinite(scale) && scale >= 0))
    throw fail('has a scale that is negative or no number');
  if (zeroPoints.length > 1 && zeroPoints.length !== scales.length) {
    throw fail(`has ${scales.length} scales and ${zeroPoints.length} zero points`);
  }
  if (scales.length > 1 && shape[dimension] !== scales.length) {
    throw fail(`has ${scales.length} scales for dimension ${dimension} of [${shape.join(', ')}]`);
  }
  if (!zeroPoints.every((zeroPoint) => Math.abs(zeroPoint) <= 2 ** 31))
    throw fail('has a zero point that fits no type');
  // Details are those of quantization in blocks and of custom ones: the scales mean something else then.
  if (table.uint8(4) !== 0) throw fail('is of a kind that is not read (in blocks, or custom)');
  return { scales, zeroPoints: scales.map((_, index) => zeroPoints[index] ?? zeroPoints[0] ?? 0), dimension };
}
