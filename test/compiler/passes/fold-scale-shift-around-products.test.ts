import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Dimension, Value } from '../../../lib/compiler/ir/value.js';
import { binary, unary } from '../../../lib/compiler/lowering/elementwise.js';
import { matmul } from '../../../lib/compiler/lowering/matrix.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { foldScaleShiftAroundProducts } from '../../../lib/compiler/passes/fold-scale-shift-around-products.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { ChannelsLastNetwork, randomFloats } from '../../support/channels-last-network.js';
import { largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';

type Write = (network: ChannelsLastNetwork, x: Value) => Value;

function model(write: Write, shape: readonly Dimension[] = ['N', 3, 4]): Model {
  const network = new ChannelsLastNetwork();
  const x = unary(network.builder, 'Neg', network.input('x', shape));
  const y = unary(network.builder, 'Abs', write(network, x));
  return network.builder.finish([{ name: 'y', value: y }]);
}

const product: Write = (n, x) => matmul(n.builder, x, n.random([4, 5], 'weights'));
const combine =
  (operator: 'Add' | 'Div' | 'Mul' | 'Sub', dims: readonly number[]): Write =>
  (n, x) =>
    binary(n.builder, operator, x, n.random(dims));
const inTurn =
  (...writes: readonly Write[]): Write =>
  (n, x) =>
    writes.reduce((value, write) => write(n, value), x);
const operators = (of: Model) => of.graph.nodes.map(({ opType }) => opType);
const feeds = (dims: readonly number[]) => toOrtFeeds({ x: randomFloats(dims, 3) });

const normalized: Write = (n, x) => {
  const channels = shapeOf(x)[1] as number;
  const vectors = [n.random([channels]), n.random([channels]), n.random([channels])];
  const variance = n.builder.constant(Tensor.fromNumbers('float32', [channels], new Float32Array(channels).fill(0.5)));
  const attributes = { epsilon: attribute.float(1e-3) };
  const type = { elementType: 'float32', shape: shapeOf(x) } as const;
  return n.builder.node('BatchNormalization', [x, ...vectors, variance], type, { attributes });
};

describe('foldScaleShiftAroundProducts', () => {
  it.each<readonly [string, Write, readonly number[], readonly string[]]>([
    [
      'a bias, a scale and a shift behind it',
      inTurn(product, combine('Add', [5]), combine('Mul', [5]), combine('Sub', [1, 5])),
      [2, 3, 4],
      ['MatMul', 'Add'],
    ],
    [
      'a normalization in front and a bias behind',
      inTurn(combine('Sub', [4]), combine('Div', [1, 4]), product, combine('Add', [5])),
      [2, 3, 4],
      ['MatMul', 'Add'],
    ],
    ['a scale on either side', inTurn(combine('Mul', [4]), product, combine('Div', [])), [2, 3, 4], ['MatMul']],
    [
      'a shift and a scale in front',
      inTurn(combine('Mul', [4]), combine('Add', [4]), product),
      [2, 3, 4],
      ['MatMul', 'Add'],
    ],
    [
      'batch normalizations of rows',
      inTurn(normalized, product, combine('Add', [5]), normalized),
      [2, 4],
      ['MatMul', 'Add'],
    ],
  ])('%s', async (_, write, dims, left) => {
    const folded = model(write, ['N', ...dims.slice(1)]);
    const { before, after } = await beforeAndAfter(folded, [foldScaleShiftAroundProducts()], feeds(dims));
    expect(operators(folded)).toEqual(['Neg', ...left, 'Abs']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });

  it.each<readonly [string, Write, readonly Dimension[]]>([
    ['a bias alone', inTurn(product, combine('Add', [5])), ['N', 3, 4]],
    ['a shift alone', inTurn(combine('Add', [4]), product), ['N', 3, 4]],
    ['a constant per row', inTurn(product, combine('Add', [5]), combine('Mul', [3, 1])), ['N', 3, 4]],
    ['a constant that widens the data', inTurn(combine('Mul', [4]), combine('Add', [4]), product), ['N', 3, 1]],
    [
      'a constant that gives the data more axes',
      inTurn(combine('Mul', [2, 1, 4]), combine('Add', [4]), product),
      [3, 4],
    ],
  ])('leaves %s', async (_, write, shape) => {
    const left = model(write, shape);
    expect((await runPasses(left, [foldScaleShiftAroundProducts()])).modified).toEqual([]);
  });

  it('leaves what others read', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const biased = inTurn(product, combine('Add', [5]))(network, unary(builder, 'Neg', network.input('x', ['N', 4])));
    const left = builder.finish([
      { name: 'y', value: unary(builder, 'Abs', combine('Mul', [5])(network, biased)) },
      { name: 'z', value: unary(builder, 'Abs', biased) },
    ]);
    expect((await runPasses(left, [foldScaleShiftAroundProducts()])).modified).toEqual([]);
  });

  it('declines where weights serve others and are too large to copy', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const weights = network.random([4, 5], 'weights');
    const x = unary(builder, 'Neg', network.input('x', ['N', 4]));
    const scaled = inTurn(combine('Add', [5]), combine('Mul', [5]))(network, matmul(builder, x, weights));
    const left = builder.finish([
      { name: 'y', value: scaled },
      { name: 'z', value: matmul(builder, x, weights) },
    ]);
    const { modified, declined } = await runPasses(left, [foldScaleShiftAroundProducts({ maximumCopyBytes: 16 })]);
    expect(modified).toEqual([]);
    expect(declined[0]?.reason).toContain('serve other nodes too');
  });
});
