import { describe, expect, it } from 'vitest';
import type { Model } from '../../../lib/compiler/ir/model.js';
import type { Dimension, Value } from '../../../lib/compiler/ir/value.js';
import { binary, unary } from '../../../lib/compiler/lowering/elementwise.js';
import { fuseBatchNormalization } from '../../../lib/compiler/passes/fuse-batch-normalization.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { ChannelsLastNetwork, randomFloats } from '../../support/channels-last-network.js';
import { largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';

type Step = readonly ['Add' | 'Div' | 'Mul' | 'Sub', readonly number[], 'constant first'?];

function model(steps: readonly Step[], shape: readonly Dimension[] = ['N', 3, 4, 5]): Model {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const start = unary(builder, 'Neg', network.input('x', shape));
  const end = steps.reduce<Value>((value, [operator, dims, first]) => {
    const constant = network.random(dims);
    return first === undefined
      ? binary(builder, operator, value, constant)
      : binary(builder, operator, constant, value);
  }, start);
  return builder.finish([{ name: 'y', value: unary(builder, 'Abs', end) }]);
}

const operators = (of: Model) => of.graph.nodes.map(({ opType }) => opType);

describe('fuseBatchNormalization', () => {
  it.each<readonly [string, readonly Step[]]>([
    [
      'a scale and a shift',
      [
        ['Mul', [3, 1, 1]],
        ['Add', [1, 3, 1, 1]],
      ],
    ],
    [
      'a shift and a scale',
      [
        ['Sub', [3, 1, 1]],
        ['Div', [3, 1, 1]],
      ],
    ],
    [
      'numbers for all channels among them',
      [
        ['Mul', []],
        ['Add', [3, 1, 1]],
        ['Mul', [1]],
      ],
    ],
    [
      'differences from constants',
      [
        ['Sub', [3, 1, 1], 'constant first'],
        ['Mul', [3, 1, 1], 'constant first'],
      ],
    ],
  ])('%s', async (_, steps) => {
    const fused = model(steps);
    const feeds = toOrtFeeds({ x: randomFloats([2, 3, 4, 5], 3) });
    const { before, after } = await beforeAndAfter(fused, [fuseBatchNormalization()], feeds);
    expect(operators(fused)).toEqual(['Neg', 'BatchNormalization', 'Abs']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });

  it.each<readonly [string, readonly Step[], readonly Dimension[]]>([
    ['one of them alone', [['Mul', [3, 1, 1]]], ['N', 3, 4, 5]],
    [
      'constants per column',
      [
        ['Mul', [5]],
        ['Add', [5]],
      ],
      ['N', 3, 4, 5],
    ],
    [
      'rows',
      [
        ['Mul', [3]],
        ['Add', [3]],
      ],
      ['N', 3],
    ],
    [
      'constants that widen the channels',
      [
        ['Mul', [3, 1, 1]],
        ['Add', [3, 1, 1]],
      ],
      ['N', 1, 4, 5],
    ],
    [
      'channels of unknown number',
      [
        ['Mul', [3, 1, 1]],
        ['Add', [3, 1, 1]],
      ],
      ['N', 'C', 4, 5],
    ],
    [
      'constants divided by data',
      [
        ['Div', [3, 1, 1], 'constant first'],
        ['Div', [3, 1, 1], 'constant first'],
      ],
      ['N', 3, 4, 5],
    ],
  ])('leaves %s', async (_, steps, shape) => {
    expect((await runPasses(model(steps, shape), [fuseBatchNormalization()])).modified).toEqual([]);
  });
});
