import type { FlatTable } from '../flatbuffers/flat-table.js';
import type { SparseLevel, TfliteSparsity } from './model.js';

/** Members of the union SparseIndexVector, by number. */
const INDEX_VECTORS = [undefined, 'int32', 'uint16', 'uint8'] as const;

/**
 * How a constant's non-zero elements are stored, checked as far as it needs no elements: `densify` does the rest.
 * @throws ModelFormatError TFLITE_SPARSITY
 */
export function decodeSparsity(table: FlatTable, shape: readonly number[]): TfliteSparsity {
  const traversalOrder = table.numbers(0, 'traversal_order', 'int32') ?? [];
  const blockMap = table.numbers(1, 'block_map', 'int32') ?? [];
  const levels = table.tables(2, 'dim_metadata').map(decodeLevel);
  const count = shape.length + blockMap.length;
  const fail = (what: string) => table.error('TFLITE_SPARSITY', `${table.place} ${what}`);
  const isPermutation =
    traversalOrder.length === count &&
    [...traversalOrder].sort((a, b) => a - b).every((dimension, index) => dimension === index);
  if (!isPermutation)
    throw fail(`traverses ${count} dimensions in the order [${traversalOrder.slice(0, 32).join(', ')}]`);
  if (levels.length !== count) throw fail(`describes ${levels.length} of ${count} dimensions`);
  if (!blockMap.every((dimension) => dimension >= 0 && dimension < shape.length)) {
    throw fail(`divides dimensions [${blockMap.join(', ')}] of ${shape.length}`);
  }
  return { traversalOrder, blockMap, levels };
}

function decodeLevel(table: FlatTable): SparseLevel {
  if (table.int8(0) === 0) {
    const size = table.int32(1);
    if (size < 1) throw table.error('TFLITE_SPARSITY', `${table.place} has the size ${size}`);
    return { format: 'dense', size };
  }
  return {
    format: 'csr',
    segments: indexVector(table, 2, 'array_segments'),
    indices: indexVector(table, 4, 'array_indices'),
  };
}

function indexVector(table: FlatTable, field: number, name: string): readonly number[] {
  const kind = INDEX_VECTORS[table.uint8(field)];
  const vector = kind === undefined ? undefined : table.table(field + 1, name)?.numbers(0, 'values', kind);
  if (vector === undefined) throw table.error('TFLITE_SPARSITY', `${table.place} has no ${name}`);
  return vector;
}
