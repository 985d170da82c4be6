import { expect, it } from 'vitest';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { expand } from '../../../lib/compiler/lowering/rearrange.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { refusalOf } from '../../support/refusal.js';

it('expand gives the shape that ONNX gives, with sizes fewer than dimensions, as many, and more', async () => {
  const builder = new GraphBuilder();
  const x = builder.input('x', { elementType: 'float32', shape: ['N', 1, 3] });
  expect(shapeOf(expand(builder, x, [3]))).toEqual(['N', 1, 3]);
  expect(shapeOf(expand(builder, x, [4, 1]))).toEqual(['N', 4, 3]);
  expect(shapeOf(expand(builder, x, [2, 1, 4, 3]))).toEqual([2, 'N', 4, 3]);
  expect((await refusalOf(() => expand(builder, x, [2]))).code).toBe('SHAPE_MISMATCH');
});
