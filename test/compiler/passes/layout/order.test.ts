import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { Node } from '../../../../lib/compiler/ir/node.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { evaluateNode } from '../../../../lib/compiler/passes/evaluation/evaluate-node.js';
import {
  inTurn,
  inverse,
  isSorted,
  movedAxes,
  movesNothing,
  orderWith,
  orderWithout,
  reordered,
} from '../../../../lib/compiler/passes/layout/order.js';
import { reorderTensor } from '../../../../lib/compiler/passes/layout/reorder-tensor.js';

const orders = fc.nat({ max: 5 }).chain((rank) => {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return fc.shuffledSubarray(axes, { minLength: rank, maxLength: rank });
});
const twoOrders = orders.chain((first) =>
  fc.tuple(fc.constant(first), fc.shuffledSubarray(first, { minLength: first.length, maxLength: first.length })),
);

describe('orders of axes', () => {
  it('one after the other are one', () => {
    fc.assert(
      fc.property(twoOrders, ([first, second]) => {
        const names = first.map((axis) => `axis ${axis}`);
        expect(reordered(names, inTurn(first, second))).toEqual(reordered(reordered(names, first), second));
      }),
    );
  });

  it('are undone by their inverse', () => {
    fc.assert(fc.property(orders, (order) => isSorted(inTurn(order, inverse(order)))));
  });

  it('say where an axis went', () => {
    fc.assert(fc.property(orders, (order) => movedAxes(order, order).every((axis, index) => axis === index)));
    expect(movedAxes([3, 1], [0, 3, 1, 2])).toEqual([1, 2]);
  });

  it('lose axes and get them back where they were', () => {
    expect(orderWithout([0, 3, 1, 2], [1, 2])).toEqual([0, 1]);
    expect(orderWithout([0, 3, 1, 2], [1])).toEqual([0, 2, 1]);
    expect(orderWith([1, 0], [1])).toEqual([2, 1, 0]);
    fc.assert(
      fc.property(orders, fc.nat({ max: 5 }), (order, axis) => {
        const [rank, at] = [order.length + 1, Math.min(axis, order.length)];
        expect(orderWithout(orderWith(order, [at]), [at])).toEqual(order);
        expect(orderWith(order, [at])[at]).toBe(at);
        expect(orderWith(order, [at])).toHaveLength(rank);
      }),
    );
  });

  it('move nothing where axes of size 1 change places with others', () => {
    expect(movesNothing([2, 1, 1, 5], [0, 3, 1, 2])).toBe(true);
    expect(movesNothing([undefined, 1, 1, 'C'], [0, 3, 1, 2])).toBe(true);
    expect(movesNothing([2, 4, 1, 5], [0, 3, 1, 2])).toBe(false);
    expect(movesNothing([2, undefined, 1, 5], [0, 3, 1, 2])).toBe(false);
  });
});

describe('reorderTensor', () => {
  it('is what Transpose computes, for elements of every size', () => {
    const dims = fc
      .nat({ max: 5 })
      .chain((rank) => fc.array(fc.integer({ min: 0, max: 4 }), { minLength: rank, maxLength: rank }));
    fc.assert(
      fc.property(
        dims.chain((sizes) => {
          const axes = sizes.map((_, axis) => axis);
          return fc.tuple(
            fc.constant(sizes),
            fc.shuffledSubarray(axes, { minLength: axes.length, maxLength: axes.length }),
          );
        }),
        fc.constantFrom('float32', 'int8', 'float16', 'int64', 'float64', 'bool'),
        ([sizes, order], elementType) => {
          const count = sizes.reduce((product, size) => product * size, 1);
          const tensor = Tensor.fromNumbers(
            elementType as 'int8',
            sizes,
            Array.from({ length: count }, (_, index) => index % 100),
          );
          const expected = transposed(tensor, order);
          const actual = reorderTensor(tensor, order);
          expect(actual.dims).toEqual(expected.dims);
          expect(Buffer.compare(actual.bytes(), expected.bytes())).toBe(0);
        },
      ),
    );
  });
});

function transposed(tensor: Tensor, order: readonly number[]): Tensor {
  const node = new Node('Transpose', [undefined], [], { attributes: { perm: attribute.ints(order) } });
  const evaluation = evaluateNode(node, [tensor], { opset: 18, maximumBytes: 2 ** 20 });
  if (evaluation.kind !== 'evaluated') throw new Error(evaluation.reason);
  return evaluation.outputs[0] as Tensor;
}
