import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import {
  allAxes,
  argMax,
  causalMask,
  cumulativeSum,
  moments,
  positions,
  reduce,
  reduceBool,
} from '../../../lib/compiler/lowering/reduce.js';
import { numbersOf, runLowered } from '../../support/lowered.js';

const x = Tensor.fromNumbers('float32', [2, 3], [1, -2, 3, -4, 5, 5]);

describe('reductions', () => {
  it('go over the axes that are named, from either end, and keep them or not', async () => {
    const { outputs, shapes } = await runLowered(
      { x },
      (builder, { x: value }) => {
        if (value === undefined) throw new TypeError();
        return {
          sum: reduce(builder, 'ReduceSum', value, [0], false),
          kept: reduce(builder, 'ReduceMax', value, [-1], true),
          all: reduce(builder, 'ReduceProd', value, allAxes(value), false),
          twice: reduce(builder, 'ReduceMean', value, [1, -1], false),
          none: reduce(builder, 'ReduceMin', value, [], false),
          norm: reduce(builder, 'ReduceL1', value, [], false),
          square: reduce(builder, 'ReduceSumSquare', value, [], true),
        };
      },
      { x: [0] },
    );
    expect(numbersOf(outputs.sum)).toEqual([-3, 3, 8]);
    expect(numbersOf(outputs.kept)).toEqual([3, 5]);
    expect(shapes.kept).toEqual([undefined, 1]);
    expect(numbersOf(outputs.all)).toEqual([600]);
    expect(numbersOf(outputs.twice)).toEqual([2 / 3, 2].map(Math.fround));
    expect(numbersOf(outputs.none)).toEqual([1, -2, 3, -4, 5, 5]);
    expect(numbersOf(outputs.norm)).toEqual([1, 2, 3, 4, 5, 5]);
    expect(numbersOf(outputs.square)).toEqual([1, 4, 9, 16, 25, 25]);
  });

  it('know whether any or all of the truths hold', async () => {
    const truths = Tensor.fromNumbers('bool', [2, 2], [1, 0, 1, 1]);
    const { outputs } = await runLowered({ truths }, (builder, { truths: value }) => {
      if (value === undefined) throw new TypeError();
      return { all: reduceBool(builder, 'all', value, [1], false), any: reduceBool(builder, 'any', value, [0], true) };
    });
    expect(outputs.all?.type).toBe('bool');
    expect(numbersOf(outputs.all)).toEqual([0, 1]);
    expect(numbersOf(outputs.any)).toEqual([1, 1]);
  });

  it('find the first of equal extremes, of any type', async () => {
    const ids = Tensor.int64([3, 9, 9, 1], [4]);
    const truths = Tensor.fromNumbers('bool', [3], [0, 1, 1]);
    const { outputs } = await runLowered({ x, ids, truths }, (builder, values) => {
      const { x: value, ids: numbers, truths: bools } = values;
      if (value === undefined || numbers === undefined || bools === undefined) throw new TypeError();
      return {
        max: argMax(builder, 'ArgMax', value, 1),
        min: argMax(builder, 'ArgMin', value, -2, { keepDims: true, elementType: 'int32' }),
        wide: argMax(builder, 'ArgMax', numbers, 0),
        bool: argMax(builder, 'ArgMax', bools, 0),
      };
    });
    expect(numbersOf(outputs.max)).toEqual([2, 1]);
    expect([outputs.min?.type, outputs.min?.dims]).toEqual(['int32', [1, 3]]);
    expect(numbersOf(outputs.min)).toEqual([1, 0, 0]);
    expect(numbersOf(outputs.wide)).toEqual([1]);
    expect(numbersOf(outputs.bool)).toEqual([1]);
  });

  it('sum up along an axis, from either end, with the element itself or without', async () => {
    const { outputs } = await runLowered({ x }, (builder, { x: value }) => {
      if (value === undefined) throw new TypeError();
      return {
        plain: cumulativeSum(builder, value, -1),
        exclusive: cumulativeSum(builder, value, 1, { exclusive: true }),
        reverse: cumulativeSum(builder, value, 1, { reverse: true }),
        both: cumulativeSum(builder, value, 0, { exclusive: true, reverse: true }),
      };
    });
    expect(numbersOf(outputs.plain)).toEqual([1, -1, 2, -4, 1, 6]);
    expect(numbersOf(outputs.exclusive)).toEqual([0, 1, -1, 0, -4, 1]);
    expect(numbersOf(outputs.reverse)).toEqual([2, 1, 3, 6, 10, 5]);
    expect(numbersOf(outputs.both)).toEqual([-4, 5, 5, 0, 0, 0]);
  });

  it('give mean and variance, and positions where sizes are open', async () => {
    const { outputs } = await runLowered(
      { x },
      (builder, { x: value }) => {
        if (value === undefined) throw new TypeError();
        const places = positions(builder, value, 1);
        return {
          ...moments(builder, value, [1]),
          places,
          causal: causalMask(builder, places, positions(builder, value, 0)),
        };
      },
      { x: [0, 1] },
    );
    expect(numbersOf(outputs.mean)).toEqual([2 / 3, 2].map(Math.fround));
    expect(numbersOf(outputs.variance)[1]).toBeCloseTo(18, 5);
    expect(numbersOf(outputs.places)).toEqual([0, 1, 2]);
    expect(numbersOf(outputs.causal)).toEqual([1, 0, 1, 1, 1, 1]);
  });
});
