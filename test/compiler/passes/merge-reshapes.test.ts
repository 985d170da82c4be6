import { describe, expect, it } from 'vitest';
import type { Dimension, Value } from '../../../lib/compiler/ir/value.js';
import { unary } from '../../../lib/compiler/lowering/elementwise.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { flattenFromSecond, reshape, squeeze, unsqueeze } from '../../../lib/compiler/lowering/rearrange.js';
import { mergeReshapes } from '../../../lib/compiler/passes/merge-reshapes.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { removeIdentities } from '../../../lib/compiler/passes/remove-identities.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { randomFloats } from '../../support/channels-last-network.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';

const feeds = toOrtFeeds({ x: randomFloats([2, 3, 4, 5], 3) });

function model(write: (builder: GraphBuilder, x: Value) => Value, shape: readonly Dimension[] = ['N', 3, 4, 5]) {
  const builder = new GraphBuilder();
  const x = unary(builder, 'Neg', builder.input('x', { elementType: 'float32', shape }));
  return builder.finish([{ name: 'y', value: unary(builder, 'Abs', write(builder, x)) }]);
}

const operators = (of: ReturnType<typeof model>) => of.graph.nodes.map(({ opType }) => opType);

describe('mergeReshapes', () => {
  it.each<readonly [string, (builder: GraphBuilder, x: Value) => Value]>([
    ['Reshape after Reshape', (b, x) => reshape(b, reshape(b, x, [-1, 12, 5]), [-1, 6, 2, 5])],
    ['Flatten after Unsqueeze', (b, x) => flattenFromSecond(b, unsqueeze(b, x, [1, 3]))],
    ['Unsqueeze after Flatten', (b, x) => unsqueeze(b, flattenFromSecond(b, x), [-1])],
    ['three of them', (b, x) => unsqueeze(b, squeeze(b, reshape(b, x, [-1, 1, 60]), [1]), [2])],
  ])('%s is one Reshape', async (_, write) => {
    const merged = model(write);
    await expectSameBits(merged, [mergeReshapes()], feeds);
    expect(operators(merged)).toEqual(['Neg', 'Reshape', 'Abs']);
  });

  it.each<readonly [string, (builder: GraphBuilder, x: Value) => Value]>([
    ['Squeeze after Unsqueeze', (b, x) => squeeze(b, unsqueeze(b, x, [2]), [2])],
    ['a Reshape back', (b, x) => reshape(b, reshape(b, x, [-1, 12, 5]), [-1, 3, 4, 5])],
  ])('%s is nothing', async (_, write) => {
    const merged = model(write);
    await expectSameBits(merged, [mergeReshapes(), removeIdentities()].slice(0, 1), feeds);
    await runPasses(merged, [removeIdentities()]);
    expect(operators(merged)).toEqual(['Neg', 'Abs']);
  });

  it('keeps what is between for its other readers', async () => {
    const builder = new GraphBuilder();
    const x = unary(builder, 'Neg', builder.input('x', { elementType: 'float32', shape: ['N', 3, 4, 5] }));
    const between = reshape(builder, x, [-1, 12, 5]);
    const merged = builder.finish([
      { name: 'y', value: unary(builder, 'Abs', reshape(builder, between, [-1, 60])) },
      { name: 'z', value: unary(builder, 'Abs', between) },
    ]);
    await expectSameBits(merged, [mergeReshapes()], feeds);
    expect(operators(merged).sort()).toEqual(['Abs', 'Abs', 'Neg', 'Reshape', 'Reshape']);
  });

  it('leaves shapes that are computed, and open sizes that it cannot tell', async () => {
    const two = model(
      (b, x) => {
        const flat = b.node('Reshape', [x, b.int64([-1, 5])], { elementType: 'float32', shape: [undefined, 5] });
        return b.node('Reshape', [flat, b.int64([-1, 2, 5])], { elementType: 'float32', shape: [undefined, 2, 5] });
      },
      ['N', 'H', 4, 5],
    );
    expect((await runPasses(two, [mergeReshapes()])).modified).toEqual([]);
    const computed = model((b, x) => {
      const shape = b.node('Shape', [x], { elementType: 'int64', shape: [4] });
      const first = b.node('Reshape', [x, shape], { elementType: 'float32', shape: ['N', 3, 4, 5] });
      return reshape(b, first, [-1, 60]);
    });
    expect((await runPasses(computed, [mergeReshapes()])).modified).toEqual([]);
  });
});
