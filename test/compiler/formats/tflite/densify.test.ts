import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { densify } from '../../../../lib/compiler/formats/tflite/densify.js';
import type { SparseLevel, TfliteSparsity } from '../../../../lib/compiler/formats/tflite/model.js';
import { refusalOf } from '../../../support/refusal.js';

/** A format for a dense tensor: which dimensions are divided into blocks, in which order they are gone through, and which levels are sparse. */
const formats = fc
  .record({
    blocks: fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })), {
      minLength: 1,
      maxLength: 3,
    }),
    order: fc.integer({ min: 0, max: 1000 }),
    sparse: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    zeros: fc.array(fc.boolean(), { minLength: 1, maxLength: 50 }),
  })
  .map(({ blocks, order, sparse, zeros }) => {
    const shape = blocks.map(([count, size]) => count * size);
    // Blocks of size 1 are none.
    const blockMap = blocks.flatMap(([, size], dimension) => (size > 1 ? [dimension] : []));
    const rank = shape.length;
    const outer = shape.map((_, dimension) => dimension);
    for (let index = 0, rest = order; index < rank; index++) {
      const other = index + (rest % (rank - index));
      rest = Math.floor(rest / (rank - index));
      [outer[index], outer[other]] = [outer[other] as number, outer[index] as number];
    }
    return {
      shape,
      blockMap,
      blockSizes: blocks.map(([, size]) => size),
      traversalOrder: [...outer, ...blockMap.map((_, index) => rank + index)],
      isSparse: [...outer.map((_, depth) => sparse[depth] === true), ...blockMap.map(() => false)],
      zeros,
    };
  });

type Format = typeof formats extends fc.Arbitrary<infer T> ? T : never;

/** The way back, by the definition: levels from the outermost, at a sparse one only the indices below which something is not zero. */
function sparsified(elements: Float32Array, format: Format): { values: Float32Array; sparsity: TfliteSparsity } {
  const { shape, blockMap, blockSizes, traversalOrder, isSparse } = format;
  const rank = shape.length;
  const sizes = traversalOrder.map((dimension) => {
    return dimension < rank
      ? (shape[dimension] ?? 0) / (blockSizes[dimension] ?? 1)
      : (blockSizes[blockMap[dimension - rank] ?? 0] ?? 1);
  });
  const at = (coordinates: readonly number[]): number => {
    const position = shape.map(() => 0);
    for (const [depth, dimension] of traversalOrder.entries()) {
      const index = coordinates[depth] ?? 0;
      if (dimension < rank) position[dimension] = (position[dimension] ?? 0) + index * (blockSizes[dimension] ?? 1);
      else position[blockMap[dimension - rank] ?? 0] = (position[blockMap[dimension - rank] ?? 0] ?? 0) + index;
    }
    return elements[position.reduce((offset, each, dimension) => offset * (shape[dimension] ?? 1) + each, 0)] ?? 0;
  };
  const below = (coordinates: readonly number[]): readonly number[][] => {
    if (coordinates.length === sizes.length) return [[...coordinates]];
    return Array.from({ length: sizes[coordinates.length] ?? 0 }, (_, index) => below([...coordinates, index])).flat();
  };
  let rows: readonly (readonly number[])[] = [[]];
  const levels = sizes.map((size, depth): SparseLevel => {
    const children = rows.map((row) =>
      Array.from({ length: size }, (_, index) => [...row, index]).filter(
        (child) => isSparse[depth] !== true || below(child).some((leaf) => at(leaf) !== 0),
      ),
    );
    rows = children.flat();
    if (isSparse[depth] !== true) return { format: 'dense', size };
    const segments = [0];
    for (const child of children) segments.push((segments.at(-1) ?? 0) + child.length);
    return { format: 'csr', segments, indices: rows.map((row) => row.at(-1) ?? 0) };
  });
  return { values: Float32Array.from(rows, at), sparsity: { traversalOrder, blockMap, levels } };
}

const bytesOf = (elements: Float32Array) => new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);

describe('a sparse constant', () => {
  it('has all of its elements again, whatever the order, the blocks and the levels that are sparse', () => {
    fc.assert(
      fc.property(formats, (format) => {
        const count = format.shape.reduce((product, size) => product * size, 1);
        const elements = Float32Array.from({ length: count }, (_, index) => {
          return format.zeros[index % format.zeros.length] === true ? 0 : index + 1;
        });
        const { values, sparsity } = sparsified(elements, format);
        const dense = densify(bytesOf(values), 4, format.shape, sparsity, 'weight');
        expect(new Float32Array(dense.buffer)).toEqual(elements);
      }),
    );
  });

  const diagonal: TfliteSparsity = {
    traversalOrder: [0, 1],
    blockMap: [],
    levels: [
      { format: 'dense', size: 2 },
      { format: 'csr', segments: [0, 1, 2], indices: [0, 1] },
    ],
  };
  const values = bytesOf(Float32Array.of(5, 7));
  const withCsr = (segments: readonly number[], indices: readonly number[]): TfliteSparsity => {
    return {
      ...diagonal,
      levels: [
        { format: 'dense', size: 2 },
        { format: 'csr', segments, indices },
      ],
    };
  };

  it('is what its format says', () => {
    expect(new Float32Array(densify(values, 4, [2, 2], diagonal, 'weight').buffer)).toEqual(
      Float32Array.of(5, 0, 0, 7),
    );
  });

  it.each([
    ['an index outside of its dimension', [2, 2], withCsr([0, 1, 2], [0, 2])],
    ['segments that go back', [2, 2], withCsr([0, 3, 2], [0, 1])],
    ['segments for more rows', [2, 2], withCsr([0, 1, 2, 2], [0, 1])],
    ['more indices than elements', [2, 2], withCsr([0, 1, 3], [0, 1, 1])],
    ['a level of another size', [3, 2], diagonal],
    ['a shape far beyond what is stored', [2 ** 15, 2 ** 15], diagonal],
  ])('with %s is refused', async (_, shape, sparsity) => {
    expect((await refusalOf(() => densify(values, 4, shape, sparsity, 'weight'))).code).toBe('TFLITE_SPARSITY');
  });
});
