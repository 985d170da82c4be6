import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { bicubicWeights, kernelWeights, nearestIndices } from '../../../lib/compiler/lowering/interpolation.js';
import { type ResizeOptions, type ResizeTarget, resize } from '../../../lib/compiler/lowering/resize.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { refusalOf } from '../../support/refusal.js';

function written(target: ResizeTarget, options: ResizeOptions, shape: readonly (number | string)[] = ['N', 4, 6, 3]) {
  const builder = new GraphBuilder();
  const x = builder.input('x', { elementType: 'float32', shape });
  const y = resize(builder, x, target, options);
  const operators = builder.graph.nodes.map(({ opType }) => opType).filter((opType) => opType !== 'Transpose');
  return { operators, shape: shapeOf(y), isSame: y === x };
}

describe('resizing', () => {
  it('is a Resize where ONNX has the formula, else a Gather or products with weights', () => {
    expect(written({ sizes: [8, 12] }, { interpolation: 'nearest' }).operators).toEqual(['Resize']);
    expect(written({ sizes: [3, 5] }, { interpolation: 'nearest' }).operators).toEqual(['Gather', 'Gather']);
    expect(written({ sizes: [4, 5] }, { interpolation: 'nearest' }).operators).toEqual(['Gather']);
    expect(written({ sizes: [5, 5] }, { halfPixelCenters: true }).operators).toEqual(['Resize']);
    expect(written({ sizes: [8, 12] }, { interpolation: 'bicubic', halfPixelCenters: true }).operators).toEqual([
      'Resize',
    ]);
    expect(written({ sizes: [8, 18] }, { interpolation: 'bicubic', halfPixelCenters: true }).operators).toEqual([
      'MatMul',
      'MatMul',
    ]);
    expect(written({ sizes: [3, 3] }, { antialias: true }).operators).toEqual(['MatMul', 'MatMul']);
    expect(written({ factors: [2, 3] }, { interpolation: 'nearest' }, ['N', 'H', 'W', 3]).operators).toEqual([
      'Resize',
    ]);
    expect(written({ sizes: [3, 5] }, {}, ['N', 'H', 'W', 3]).shape).toEqual(['N', 3, 5, 3]);
  });

  it('writes nothing where sizes stay', () => {
    expect(written({ sizes: [4, 6] }, {}).operators).toEqual([]);
    expect(written({ factors: [1, 1] }, { interpolation: 'bicubic' }).operators).toEqual([]);
  });

  it('refuses sizes that no picture has, before it makes tables of them', async () => {
    const code = async (target: ResizeTarget, options: ResizeOptions = {}) =>
      (await refusalOf(() => written(target, options))).code;
    expect(await code({ sizes: [0, 5] })).toBe('RESIZE_SIZE');
    expect(await code({ sizes: [5] })).toBe('RESIZE_SIZE');
    expect(await code({ sizes: [2 ** 30, 5] }, { interpolation: 'nearest' })).toBe('RESIZE_SIZE');
    expect(await code({ factors: [1.5, 2] })).toBe('RESIZE_SIZE');
    expect(() => bicubicWeights(2 ** 16, 2 ** 16, {})).toThrow('weights');
    const many = ['N', 2 ** 16, 6, 3];
    expect((await refusalOf(() => written({ factors: [1024, 1] }, { interpolation: 'lanczos3' }, many))).code).toBe(
      'RESIZE_SIZE',
    );
  });
});

describe('weights of an interpolation', () => {
  it('sum to 1', () => {
    for (const { rows, columns, weights } of [
      bicubicWeights(7, 11, { halfPixelCenters: true }),
      bicubicWeights(7, 4, { alignCorners: true }),
      kernelWeights('lanczos5', 9, 4, true),
      kernelWeights('gaussian', 4, 9, false),
    ]) {
      for (let row = 0; row < rows; row++) {
        const sum = weights.slice(row * columns, (row + 1) * columns).reduce((total, weight) => total + weight, 0);
        expect(sum).toBeCloseTo(1, 5);
      }
    }
  });

  it('follow corners and centers', () => {
    expect(nearestIndices(4, 8, {})).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    expect(nearestIndices(4, 2, {})).toEqual([0, 2]);
    expect(nearestIndices(4, 2, { halfPixelCenters: true })).toEqual([1, 3]);
    expect(nearestIndices(3, 5, { alignCorners: true })).toEqual([0, 1, 1, 2, 2]);
    expect(nearestIndices(5, 1, { alignCorners: true })).toEqual([0]);
  });
});
