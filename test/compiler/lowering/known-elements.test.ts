import { describe, expect, it } from 'vitest';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { fill, reshapeBy, tileBy } from '../../../lib/compiler/lowering/computed-shape.js';
import { binary, cast } from '../../../lib/compiler/lowering/elementwise.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { knownElements } from '../../../lib/compiler/lowering/known-elements.js';
import {
  concat,
  gather,
  reshape,
  shapeVector,
  slice,
  squeeze,
  unsqueeze,
} from '../../../lib/compiler/lowering/rearrange.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { NO_MASKS, sliceSizes, stridedSlice } from '../../../lib/compiler/lowering/slice.js';
import { refusalOf } from '../../support/refusal.js';

/** A builder, a tensor [N, T, 6], and its sizes as int32. */
function start() {
  const builder = new GraphBuilder();
  const x = builder.input('x', { elementType: 'float32', shape: ['N', 'T', 6] });
  const sizes = cast(builder, shapeVector(builder, x), 'int32');
  const size = (axis: number) =>
    squeeze(builder, slice(builder, sizes, [{ axis: 0, start: axis, end: axis + 1 }]), [0]);
  const pack = (...scalars: Value[]) =>
    concat(
      builder,
      scalars.map((scalar) => unsqueeze(builder, scalar, [0])),
      0,
    );
  const number = (value: number) => builder.scalar(value, 'int32');
  return { builder, x, sizes, size, pack, number };
}

/** Axes of `x`, numbers, '?' for what is not known. */
function shown(x: Value, value: Value) {
  return knownElements(value)?.map((element) => {
    if (typeof element === 'number') return element;
    return element?.value === x ? `axis ${element.axis}` : '?';
  });
}

describe('elements of computed vectors', () => {
  it('are followed through what exporters write', () => {
    const { builder, x, sizes, size, pack, number } = start();
    expect(shown(x, sizes)).toEqual(['axis 0', 'axis 1', 6]);
    expect(shown(x, pack(size(0), number(-1), size(2)))).toEqual(['axis 0', -1, 6]);
    expect(shown(x, slice(builder, sizes, [{ axis: 0, start: -1, step: -1 }]))).toEqual([6, 'axis 1', 'axis 0']);
    expect(shown(x, gather(builder, sizes, builder.int64([2, 0]), 0))).toEqual([6, 'axis 0']);
    expect(shown(x, binary(builder, 'Mul', size(2), number(2)))).toEqual([12]);
    expect(shown(x, binary(builder, 'Mul', size(0), number(1)))).toEqual(['axis 0']);
    expect(shown(x, binary(builder, 'Mul', size(0), number(2)))).toEqual(['?']);
    expect(shown(x, binary(builder, 'Add', sizes, builder.int64([0, 1, 2])))).toEqual(['axis 0', '?', 8]);
    expect(shown(x, reshape(builder, sizes, [3, 1]))).toEqual(['axis 0', 'axis 1', 6]);
  });

  it('are not known of floats, of long vectors, and of what only a run knows', () => {
    const { builder, x } = start();
    expect(knownElements(x)).toBeUndefined();
    const other = builder.input('other', { elementType: 'int32', shape: [2] });
    expect(shown(x, other)).toEqual(['?', '?']);
    expect(knownElements(builder.input('long', { elementType: 'int32', shape: [1000] }))).toBeUndefined();
    expect(knownElements(builder.input('open', { elementType: 'int32', shape: ['n'] }))).toBeUndefined();
  });
});

describe('shapes that are values', () => {
  it('make a plain Reshape where at most one size is left, copying those that stay', () => {
    const { builder, x, size, pack, number } = start();
    const constantOf = (value: Value) => value.producer?.input(1)?.initializer?.numbers();
    const flat = reshapeBy(builder, x, pack(size(0), number(-1), number(3)));
    expect([shapeOf(flat), constantOf(flat)]).toEqual([
      ['N', undefined, 3],
      [0, -1, 3],
    ]);
    const heads = reshapeBy(builder, x, pack(size(0), size(1), number(2), number(3)));
    expect([shapeOf(heads), constantOf(heads)]).toEqual([
      ['N', 'T', 2, 3],
      [0, 0, 2, 3],
    ]);
    const same = reshapeBy(builder, x, pack(size(0), size(1), number(6)));
    expect(same).toBe(x);
    // Two sizes that move: only a run knows which is which.
    const swapped = reshapeBy(builder, x, pack(size(1), size(0), number(6)));
    expect([shapeOf(swapped), constantOf(swapped)]).toEqual([['T', 'N', 6], undefined]);
    // Back to the shape in front of a Reshape: what was there.
    const rows = reshape(builder, x, [-1, 6]);
    expect(reshapeBy(builder, rows, pack(size(0), size(1), number(6)))).toBe(x);
  });

  it('keep the names of sizes in fills, repetitions and slices', () => {
    const { builder, x, size, sizes, pack, number } = start();
    expect(shapeOf(fill(builder, pack(size(0), number(4)), builder.scalar(1)))).toEqual(['N', 4]);
    const row = builder.input('row', { elementType: 'float32', shape: [1, 'T', 6] });
    expect(shapeOf(tileBy(builder, row, pack(size(0), number(1), number(2))))).toEqual(['N', 'T', 12]);
    const zeros = builder.int64([0, 0, 0]);
    expect(stridedSlice(builder, x, zeros, sizes, undefined, NO_MASKS)).toBe(x);
    expect(shapeOf(sliceSizes(builder, x, zeros, pack(size(0), number(-1), number(2))))).toEqual(['N', undefined, 2]);
  });

  it('are refused where not even the number of dimensions is known', async () => {
    const { builder, x } = start();
    const open = builder.input('open', { elementType: 'int64', shape: ['rank'] });
    expect((await refusalOf(() => reshapeBy(builder, x, open))).code).toBe('RANK_UNKNOWN');
  });
});
