/** Sparse constants to all of their elements. The format is that of https://arxiv.org/abs/1804.10112, with blocks. */
import { ModelFormatError } from '../../../errors.js';
import type { SparseLevel, TfliteSparsity } from './model.js';

/** Zeros take no room in the file, so a small one can name a large tensor; weights of real models are not as sparse as that. */
const MOST_ZEROS = 1024;
const ALWAYS_ALLOWED_BYTES = 2 ** 26;

/**
 * The elements of a tensor row by row, zeros where the file has none.
 * @param values the elements that are stored, in the order of the traversal
 * @throws ModelFormatError TFLITE_SPARSITY for levels that do not describe the shape, or describe more than is stored
 */
export function densify(
  values: Uint8Array,
  elementBytes: number,
  shape: readonly number[],
  sparsity: TfliteSparsity,
  name: string,
): Uint8Array {
  const fail = (what: string) =>
    new ModelFormatError({
      code: 'TFLITE_SPARSITY',
      message: `The sparse constant '${name}' of shape [${shape.join(', ')}] ${what}.`,
      advice: 'The file is damaged or was written by a faulty exporter; export it again.',
    });
  const bytes = shape.reduce((product, size) => product * size, elementBytes);
  if (bytes > Math.max(ALWAYS_ALLOWED_BYTES, values.byteLength * MOST_ZEROS)) {
    throw fail(`would take ${bytes} bytes, of which ${values.byteLength} are stored`);
  }
  const strides = levelStrides(shape, sparsity, fail);
  checkCounts(sparsity.levels, values.byteLength / elementBytes, fail);
  const result = new Uint8Array(bytes);
  const visit = (depth: number, position: number, element: number): void => {
    const level = sparsity.levels[depth];
    const { stride, size } = strides[depth] ?? { stride: 0, size: 0 };
    if (level === undefined) {
      const start = position * elementBytes;
      result.set(values.subarray(start, start + elementBytes), element * elementBytes);
    } else if (level.format === 'dense') {
      for (let index = 0; index < size; index++) visit(depth + 1, position * size + index, element + index * stride);
    } else {
      for (let at = level.segments[position] ?? 0; at < (level.segments[position + 1] ?? 0); at++) {
        const index = level.indices[at] ?? -1;
        if (index < 0 || index >= size) throw fail(`has index ${index} in a dimension of ${size}`);
        visit(depth + 1, at, element + index * stride);
      }
    }
  };
  visit(0, 0, 0);
  return result;
}

interface LevelStride {
  /** Elements from one index of the level to the next, in the dense tensor. */
  readonly stride: number;
  readonly size: number;
}

function levelStrides(
  shape: readonly number[],
  { traversalOrder, blockMap, levels }: TfliteSparsity,
  fail: (what: string) => ModelFormatError,
): readonly LevelStride[] {
  const rank = shape.length;
  const blockSizes = shape.map(() => 1);
  const sizes: number[] = [];
  for (const [depth, dimension] of traversalOrder.entries()) {
    if (dimension < rank) continue;
    const level = levels[depth];
    const divided = blockMap[dimension - rank] ?? 0;
    if (level?.format !== 'dense') throw fail('has blocks that are sparse themselves');
    if (blockSizes[divided] !== 1) throw fail(`has two sizes of blocks in dimension ${divided}`);
    blockSizes[divided] = level.size;
    sizes[dimension] = level.size;
  }
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  return traversalOrder.map((dimension, depth) => {
    if (dimension >= rank)
      return { stride: strides[blockMap[dimension - rank] ?? 0] ?? 0, size: sizes[dimension] ?? 0 };
    const block = blockSizes[dimension] ?? 1;
    const size = (shape[dimension] ?? 0) / block;
    const level = levels[depth];
    if (!Number.isInteger(size) || (level?.format === 'dense' && level.size !== size)) {
      throw fail(`is divided into blocks that do not fit dimension ${dimension}`);
    }
    return { stride: (strides[dimension] ?? 0) * block, size };
  });
}

/** The work is bounded by what is stored: each level has as many positions as its segments, and the last as many as there are values. */
function checkCounts(levels: readonly SparseLevel[], stored: number, fail: (what: string) => ModelFormatError): void {
  let count = 1;
  for (const level of levels) {
    if (level.format === 'dense') {
      count *= level.size;
      continue;
    }
    const { segments, indices } = level;
    if (segments.length !== count + 1 || segments[0] !== 0 || segments.at(-1) !== indices.length) {
      throw fail(`has ${segments.length} segments for ${count} rows and ${indices.length} indices`);
    }
    if (segments.some((start, index) => start < (segments[index - 1] ?? 0))) throw fail('has segments that go back');
    count = indices.length;
  }
  if (count !== stored) throw fail(`has ${stored} elements for ${count} places`);
}
