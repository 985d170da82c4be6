import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import type { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import { dependencyGraph } from '../../../lib/compiler/prune/dependency-graph.js';
import { type Groups, pruningGroups } from '../../../lib/compiler/prune/groups.js';
import { fromOrt } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { typesByRunning } from '../../support/prunable-graph.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';

async function groupsOf(model: Model, feeds: Record<string, Tensor>): Promise<Groups> {
  await typesByRunning(model, feeds);
  return pruningGroups(dependencyGraph(model));
}

const PICTURE = { x: fromOrt(randomTensor([1, 3, 6, 6])) };

/** x → Conv 3 to 4 channels → what `middle` makes of it → Conv to 2 channels. */
async function between(middle: (b: ModelBuilder, value: Value) => Value, channels = 4): Promise<Groups> {
  const b = new ModelBuilder(18);
  const first = b.add('Conv', [b.input('x', [1, 3, 6, 6]), b.floats(randomFloats(12), [4, 3, 1, 1])]);
  const weight = b.floats(randomFloats(2 * channels), [2, channels, 1, 1]);
  return await groupsOf(b.finish([b.add('Conv', [middle(b, first), weight], { outputs: ['y'] })]), PICTURE);
}

describe('channels are one group', () => {
  it('from the convolution that makes them to the one that sums over them', async () => {
    const { groups } = await between((b, value) =>
      b.add('MaxPool', [b.add('Relu', [value])], { attributes: { kernel_shape: attribute.ints([2, 2]) } }),
    );
    expect(groups).toMatchObject([{ kind: 'channels', units: [0, 1, 2, 3] }]);
    expect(groups[0]?.uses.map(({ role }) => role)).toEqual(['source', 'sink']);
  });

  it('with those of another convolution that they are added to', async () => {
    const { groups } = await between((b, value) => {
      const other = b.add('Conv', [value, b.floats(randomFloats(16, 2), [4, 4, 1, 1])]);
      return b.add('Add', [value, other]);
    });
    expect(groups).toHaveLength(1);
    expect(groups[0]?.uses.map(({ role }) => role)).toEqual(['source', 'sink', 'source', 'sink']);
  });

  it('apart from those that they are put beside', async () => {
    const { groups } = await between((b, value) => {
      const other = b.add('Conv', [value, b.floats(randomFloats(12, 2), [3, 4, 1, 1])]);
      return b.add('Concat', [value, other], { attributes: { axis: attribute.int(1) } });
    }, 7);
    expect(groups.map(({ units }) => units.length)).toEqual([4, 3]);
  });
});

describe('channels stay', () => {
  const reasonOf = async (middle: (b: ModelBuilder, value: Value) => Value, channels?: number) =>
    (await between(middle, channels)).kept[0]?.reason;

  it.each<[string, (b: ModelBuilder, value: Value) => Value, RegExp]>([
    [
      'an operator that is not known',
      (b, value) => b.add('LpNormalization', [value], { attributes: { axis: attribute.int(1) } }),
      /pruning does not know the operator/,
    ],
    [
      'a Softmax over them',
      (b, value) => b.add('Softmax', [value], { attributes: { axis: attribute.int(1) } }),
      /normalizes over it/,
    ],
    [
      'an activation that cannot be pruned',
      (b, value) => b.add('Add', [value, b.input('z', [1, 4, 6, 6])]),
      /combines it with 'z'/,
    ],
    [
      'padding with channels',
      (b, value) => b.add('Pad', [value, b.int64([0, 0, 0, 0, 0, 0, 0, 0]), b.scalar(1), undefined]),
      /^$/,
    ],
    [
      'a second reader of their weights',
      (b, value) => {
        const weight = value.producer?.input(1);
        const sum = b.add('ReduceSum', [weight], { attributes: { keepdims: attribute.int(0) } });
        return b.add('Mul', [value, sum]);
      },
      /serves others too/,
    ],
  ])('in front of %s', async (what, middle, reason) => {
    const b = new ModelBuilder(18);
    const first = b.add('Conv', [b.input('x', [1, 3, 6, 6]), b.floats(randomFloats(12), [4, 3, 1, 1])]);
    const weight = b.floats(randomFloats(8), [2, 4, 1, 1]);
    const model = b.finish([b.add('Conv', [middle(b, first), weight], { outputs: ['y'] })]);
    const feeds =
      what === 'an activation that cannot be pruned' ? { ...PICTURE, z: fromOrt(randomTensor([1, 4, 6, 6])) } : PICTURE;
    const { kept, groups } = await groupsOf(model, feeds);
    // Pads of zero are no padding.
    if (what === 'padding with channels') expect(groups).toHaveLength(1);
    else expect(kept[0]?.reason).toMatch(reason);
  });

  it('where they leave the model', async () => {
    const { kept } = await between((b, value) => b.add('Relu', [value]));
    expect(kept).toMatchObject([{ units: 2, reason: "'y' is an output of the model" }]);
  });

  it('where a graph inside a node reads them', async () => {
    const reason = await reasonOf((b, value) => {
      const branch = (name: string) => {
        const inner = new ModelBuilder(18, name);
        return attribute.graph(inner.finishGraph(inner.add('Relu', [value], { outputs: [`${name}_y`] })));
      };
      const condition = b.add('Less', [b.scalar(1), b.scalar(2)]);
      return b.add('If', [condition], { attributes: { then_branch: branch('yes'), else_branch: branch('no') } });
    });
    expect(reason).toMatch(/pruning does not know the operator/);
  });

  it('where a caller may bring other weights', async () => {
    const b = new ModelBuilder(18);
    const weight = b.floats(randomFloats(12), [4, 3, 1, 1]);
    const first = b.add('Conv', [b.input('x', [1, 3, 6, 6]), weight]);
    const second = b.floats(randomFloats(8), [2, 4, 1, 1]);
    const model = b.finish([b.add('Conv', [first, second], { outputs: ['y'] })]);
    model.graph.setInputs([...model.graph.inputs, second]);
    const { groups } = await groupsOf(model, PICTURE);
    expect(groups).toEqual([]);
  });

  it('in a model of before version 13 of the operators', async () => {
    const b = new ModelBuilder(11);
    const first = b.add('Conv', [b.input('x', [1, 3, 6, 6]), b.floats(randomFloats(12), [4, 3, 1, 1])]);
    const value = new Value('y');
    b.graph.append(new Node('Conv', [first, b.floats(randomFloats(8), [2, 4, 1, 1])], [value]));
    expect((await groupsOf(b.finish([value]), PICTURE)).groups).toEqual([]);
  });
});
