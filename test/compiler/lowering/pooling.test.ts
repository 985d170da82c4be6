import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { adaptivePool, globalPool, pool } from '../../../lib/compiler/lowering/pooling.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { refusalOf } from '../../support/refusal.js';

function pictures(shape: readonly (number | string)[] = ['N', 8, 'W', 3]) {
  const builder = new GraphBuilder();
  return { builder, x: builder.input('x', { elementType: 'float32', shape }) };
}

describe('a pool', () => {
  it('keeps sizes that it does not change', () => {
    const { builder, x } = pictures();
    const options = { strides: [2, 1], padding: 'same' } as const;
    expect(shapeOf(pool(builder, 'max', x, [3, 3], options))).toEqual(['N', 4, 'W', 3]);
    expect(shapeOf(globalPool(builder, 'average', x))).toEqual(['N', 3]);
    expect(shapeOf(globalPool(builder, 'max', x, { keepDims: true }))).toEqual(['N', 1, 1, 3]);
  });

  it('over everything leaves no second Transpose', () => {
    const { builder, x } = pictures();
    globalPool(builder, 'average', x);
    expect(builder.graph.nodes.map(({ opType }) => opType)).toEqual(['Transpose', 'GlobalAveragePool', 'Squeeze']);
  });

  it('is refused where no window fits', async () => {
    const { builder, x } = pictures();
    const code = async (act: () => unknown) => (await refusalOf(act)).code;
    expect(await code(() => pool(builder, 'max', x, [9, 1]))).toBe('WINDOW_TOO_LARGE');
    expect(await code(() => pool(builder, 'max', x, [2]))).toBe('WINDOW_RANK');
    expect(await code(() => pool(builder, 'max', x, [0, 2]))).toBe('WINDOW_OPTIONS');
    expect(await code(() => pool(builder, 'max', x, [2, 2], { strides: [0, 1] }))).toBe('WINDOW_OPTIONS');
    expect(
      await code(() =>
        pool(builder, 'max', x, [2, 2], {
          padding: [
            [2, 0],
            [0, 0],
          ],
        }),
      ),
    ).toBe('WINDOW_OPTIONS');
    expect(await code(() => pool(builder, 'average', x, [2, 2], { strides: [1, 5], padding: 'same' }))).toBe(
      'SIZE_UNKNOWN',
    );
    expect(await code(() => adaptivePool(builder, 'max', x, [2, 2]))).toBe('SIZE_UNKNOWN');
    expect(await code(() => adaptivePool(builder, 'max', x, [2, 0]))).toBe('WINDOW_OPTIONS');
    const flat = builder.input('flat', { elementType: 'float32', shape: ['N', 3] });
    expect(await code(() => globalPool(builder, 'max', flat))).toBe('WINDOW_RANK');
  });
});
