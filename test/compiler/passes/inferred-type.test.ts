import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { constantBehind, inferElementType, inferRank } from '../../../lib/compiler/passes/inferred-type.js';
import { ModelBuilder } from '../../support/model-builder.js';

const { int, ints, tensor } = attribute;
type Row = readonly [string, (b: ModelBuilder, x: Value) => Value, string | undefined, number | undefined];

function add(
  b: ModelBuilder,
  opType: string,
  inputs: readonly Value[],
  attributes: Record<string, Attribute> = {},
): Value {
  return b.add(opType, inputs, { attributes });
}

/** The value, its element type and its rank, for a float32 `x` of rank 4. */
const rows: readonly Row[] = [
  ['the input', (_, x) => x, 'float32', 4],
  ['elementwise', (b, x) => add(b, 'Relu', [add(b, 'Abs', [x])]), 'float32', 4],
  ['broadcast from a scalar', (b, x) => add(b, 'Mul', [b.scalar(2), x]), 'float32', 4],
  ['broadcast to more dimensions', (b, x) => add(b, 'Add', [x, b.floats([1], [1, 1, 1, 1, 1])]), 'float32', 5],
  ['a comparison', (b, x) => add(b, 'Greater', [x, b.scalar(0)]), 'bool', undefined],
  ['a choice', (b, x) => add(b, 'Where', [add(b, 'Greater', [x, x]), x, x]), 'float32', undefined],
  ['a cast', (b, x) => add(b, 'Cast', [x], { to: int(7) }), 'int64', 4],
  ['a shape', (b, x) => add(b, 'Shape', [x]), 'int64', 1],
  ['a transposition', (b, x) => add(b, 'Transpose', [x], { perm: ints([0, 2, 1, 3]) }), 'float32', 4],
  ['a flattening', (b, x) => add(b, 'Flatten', [x]), 'float32', 2],
  ['a constant', (b) => add(b, 'Constant', [], { value: tensor(Tensor.int64([1, 2])) }), 'int64', 1],
  ['a constant number', (b) => add(b, 'Constant', [], { value_float: attribute.float(1) }), 'float32', undefined],
  ['a filled tensor', (b) => add(b, 'ConstantOfShape', [b.int64([2])]), 'float32', undefined],
  ['a new shape', (b, x) => add(b, 'Reshape', [x, b.int64([2, -1, 3])]), 'float32', 3],
  [
    'a new shape in parts',
    (b, x) => add(b, 'Reshape', [x, add(b, 'Concat', [b.int64([1]), b.int64([2, 3])], { axis: int(0) })]),
    'float32',
    3,
  ],
  ['axes taken away', (b, x) => add(b, 'Squeeze', [x], { axes: ints([0, 1]) }), 'float32', 2],
  ['axes taken away by an input', (b, x) => add(b, 'Squeeze', [x, b.int64([0])]), 'float32', 3],
  ['any axes of 1 taken away', (b, x) => add(b, 'Squeeze', [x]), 'float32', undefined],
  ['axes added', (b, x) => add(b, 'Unsqueeze', [x, b.int64([0, 1])]), 'float32', 6],
  ['a reduction', (b, x) => add(b, 'ReduceMean', [x], { axes: ints([1]) }), 'float32', 4],
  ['a reduction that drops axes', (b, x) => add(b, 'ReduceMean', [x], { keepdims: int(0) }), 'float32', undefined],
  ['a product', (b, x) => add(b, 'MatMul', [x, b.floats([1], [1, 1])]), 'float32', 4],
  ['a product with a vector', (b, x) => add(b, 'MatMul', [x, b.floats([1])]), 'float32', undefined],
  ['rows', (b, x) => add(b, 'Gather', [x, b.int64([0, 1], [1, 2])]), 'float32', 5],
  ['an operator of another domain', (b, x) => b.add('Relu', [x], { domain: 'local' }), undefined, undefined],
];

describe('what is known of', () => {
  it.each(rows)('%s', (_, build, elementType, rank) => {
    const b = new ModelBuilder(18);
    const value = build(b, b.input('x', [undefined, 'n', 3, 4]));
    expect([inferElementType(value), inferRank(value)]).toEqual([elementType, rank]);
  });

  it('a convolution of data that nobody typed: the rank of its weights', () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', undefined);
    expect(inferRank(add(b, 'Conv', [x, b.floats([1], [1, 1, 1])]))).toBe(3);
  });

  it('indices of TopK and MaxPool: int64, or nothing rather than their data’s type', () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [1, 2]);
    const outputs = ['values', 'indices'];
    expect(inferElementType(b.addAll('TopK', [x, b.int64([1])], { outputs })[1])).toBe('int64');
    expect(inferElementType(b.addAll('MaxPool', [x], { outputs: ['y', 'where'] })[1])).toBeUndefined();
  });
});

it('a constant behind an input is an initializer or a Constant, unless a caller may override it', () => {
  const b = new ModelBuilder(18);
  const x = b.input('x', [1]);
  const initializer = b.floats([1]);
  const constant = add(b, 'Constant', [], { value: tensor(Tensor.int64([7])) });
  add(b, 'Max', [x, initializer, constant]);
  const node = b.graph.nodes.at(-1);
  const behind = [0, 1, 2].map((index) => (node === undefined ? undefined : constantBehind(node, index)?.numbers()));
  expect(behind).toEqual([undefined, [1], [7]]);
  b.graph.setInputs([x, initializer]);
  expect(node === undefined ? undefined : constantBehind(node, 1)).toBeUndefined();
});
