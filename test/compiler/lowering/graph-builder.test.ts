import { describe, expect, it } from 'vitest';
import { printModel } from '../../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { binary, cast, unary } from '../../../lib/compiler/lowering/elementwise.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { dense } from '../../../lib/compiler/lowering/matrix.js';
import {
  concat,
  flattenFromSecond,
  reshape,
  shapeVector,
  slice,
  split,
  toChannelsFirst,
  toChannelsLast,
  transpose,
} from '../../../lib/compiler/lowering/rearrange.js';
import { broadcastShapes, shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { refusalOf } from '../../support/refusal.js';
import { openModel } from '../../support/run-model.js';

const PICTURES = { elementType: 'float32', shape: ['N', 5, 7, 3] } as const;

describe('a graph that is written', () => {
  it('knows the shape of every value, has unique names, and is accepted by onnxruntime with the same shapes', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', PICTURES);
    const outputs = {
      twice: builder.scope('twice', () => toChannelsLast(builder, toChannelsFirst(builder, x))),
      dense: builder.scope('dense', () => {
        return unary(
          builder,
          'Relu',
          dense(builder, x, builder.floats(new Float32Array(12), [3, 4]), builder.floats([1, 2, 3, 4])),
        );
      }),
      concatenated: concat(builder, [x, slice(builder, x, [{ axis: 2, start: -1, step: -2 }])], -2),
      flat: flattenFromSecond(builder, x),
      rows: reshape(builder, x, [-1, 3]),
      batch: reshape(builder, x, [-1, 105]),
      sizes: shapeVector(builder, x),
    };
    const [head, tail] = split(builder, x, 1, [2, 3]);
    const all = { ...outputs, head, tail };
    const shapes = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, value && shapeOf(value)]));
    expect(shapes).toEqual({
      twice: ['N', 5, 7, 3],
      dense: ['N', 5, 7, 4],
      concatenated: ['N', 5, 11, 3],
      flat: ['N', 105],
      rows: [undefined, 3],
      batch: ['N', 105],
      sizes: [4],
      head: ['N', 2, 7, 3],
      tail: ['N', 3, 7, 3],
    });
    const model = builder.finish(Object.entries(all).flatMap(([name, value]) => (value ? [{ name, value }] : [])));
    const session = await openModel(modelToBytes(model));
    expect(session.outputNames).toEqual(Object.keys(all));
    await session.release();
  });

  it('computes what is constant at once', () => {
    const builder = new GraphBuilder();
    const three = binary(builder, 'Add', builder.scalar(1), builder.scalar(2));
    expect(three.initializer?.numbers()).toEqual([3]);
    expect(
      cast(builder, transpose(builder, builder.floats([1, 2, 3, 4], [2, 2]), [1, 0]), 'int64').initializer?.numbers(),
    ).toEqual([1, 3, 2, 4]);
    expect(builder.graph.nodes).toEqual([]);
  });

  it('gives outputs the names of the source, whatever stands in the way', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: [2] });
    const inner = builder.scope('y', () => unary(builder, 'Relu', x));
    const y = unary(builder, 'Neg', inner);
    const model = builder.finish([
      { name: 'y/Relu', value: y },
      { name: 'again', value: y },
      { name: 'same', value: x },
      { name: 'x', value: inner },
      { name: 'one', value: builder.scalar(1) },
    ]);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y/Relu', 'again', 'same', 'x_1', 'one']);
    const names = model.graph.nodes.flatMap((node) => node.outputs.map((value) => value?.name));
    expect(new Set(names).size).toBe(names.length);
    expect(printModel(model)).toContain('%y/Relu = Neg(%x_1)');
  });
});

describe('shapes', () => {
  it('broadcast where they are open too', () => {
    expect(broadcastShapes(['N', 1, 3], [5, 1])).toEqual(['N', 5, 3]);
    expect(broadcastShapes(['N', 3], ['M', 3], [])).toEqual([undefined, 3]);
    expect(broadcastShapes(['N'], [1])).toEqual(['N']);
    expect(broadcastShapes(['N'], [4])).toEqual([4]);
    expect(broadcastShapes([undefined], ['N'])).toEqual([undefined]);
  });

  it('that do not fit are refused', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: [2, 3] });
    expect((await refusalOf(() => binary(builder, 'Add', x, builder.floats([1, 2])))).code).toBe('SHAPE_MISMATCH');
    expect((await refusalOf(() => reshape(builder, x, [4, 2]))).code).toBe('SHAPE_MISMATCH');
    expect((await refusalOf(() => concat(builder, [x, x], 2))).code).toBe('AXIS_RANGE');
    expect((await refusalOf(() => concat(builder, [], 0))).code).toBe('INPUT_MISSING');
  });
});
