import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import type { Dimension } from '../../../lib/compiler/ir/value.js';
import { fuseGlobalAveragePool } from '../../../lib/compiler/passes/fuse-global-average-pool.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { ChannelsLastNetwork, randomFloats } from '../../support/channels-last-network.js';
import { largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';

function mean(axes: readonly number[], keepdims: 0 | 1, shape: readonly Dimension[], opType = 'ReduceMean'): Model {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const front = axes.map((axis) => (axis < 0 ? axis + shape.length : axis));
  const dims = shape.flatMap((size, axis) => (front.includes(axis) ? (keepdims === 1 ? [1] : []) : [size]));
  const attributes = { keepdims: attribute.int(keepdims) };
  const x = network.input('x', shape);
  const y = builder.node(opType, [x, builder.int64(axes)], { elementType: 'float32', shape: dims }, { attributes });
  return builder.finish([{ name: 'y', value: y }]);
}

describe('fuseGlobalAveragePool', () => {
  it.each<readonly [string, Model, readonly number[], readonly string[]]>([
    ['of a picture', mean([2, 3], 1, ['N', 4, 5, 6]), [2, 4, 5, 6], ['GlobalAveragePool']],
    ['without its axes', mean([-1, 2], 0, ['N', 4, 5, 6]), [2, 4, 5, 6], ['GlobalAveragePool', 'Squeeze']],
    ['of a sequence', mean([2], 0, ['N', 4, 5]), [2, 4, 5], ['GlobalAveragePool', 'Squeeze']],
    ['of a volume', mean([2, 3, 4], 1, ['N', 2, 3, 4, 5]), [2, 2, 3, 4, 5], ['GlobalAveragePool']],
  ])('a mean %s', async (_, model, dims, left) => {
    const feeds = toOrtFeeds({ x: randomFloats(dims, 3) });
    const { before, after } = await beforeAndAfter(model, [fuseGlobalAveragePool()], feeds);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(left);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });

  it.each<readonly [string, Model]>([
    ['means of other axes', mean([1, 2], 1, ['N', 4, 5, 6])],
    ['means of one axis of two', mean([3], 1, ['N', 4, 5, 6])],
    ['means of rows', mean([1], 1, ['N', 4])],
    ['other reductions', mean([2, 3], 1, ['N', 4, 5, 6], 'ReduceSum')],
  ])('leaves %s', async (_, model) => {
    expect((await runPasses(model, [fuseGlobalAveragePool()])).modified).toEqual([]);
  });
});
