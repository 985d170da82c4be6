import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../lib/compiler/ir/attribute.js';
import { printGraph } from '../../../lib/compiler/ir/print.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Dimension, Value } from '../../../lib/compiler/ir/value.js';
import { removeIdentities } from '../../../lib/compiler/passes/remove-identities.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';

interface Case {
  readonly opset?: number;
  readonly shape?: readonly Dimension[] | undefined;
  readonly more?: (b: ModelBuilder) => readonly (Value | undefined)[];
  readonly attributes?: Record<string, Attribute>;
}

/** Whether Neg → `opType` → Relu loses the node in the middle. */
function isTakenOut(opType: string, { opset = 17, shape = [2, 3], more, attributes = {} }: Case): boolean {
  const b = new ModelBuilder(opset);
  const x = b.add('Neg', [b.input('x', shape)]);
  x.type = { kind: 'tensor', elementType: 'float32', shape };
  const y = b.add(opType, [x, ...(more?.(b) ?? [])], { attributes });
  const model = b.finish([b.add('Relu', [y])]);
  const { modified } = removeIdentities().run(model);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(modified ? ['Neg', 'Relu'] : ['Neg', opType, 'Relu']);
  return modified;
}

const int64 =
  (...numbers: number[]) =>
  (b: ModelBuilder) => [b.int64(numbers)];
const batch = ['N', 3] as const;

describe('remove identities', () => {
  it.each<[string, string, Case]>([
    ['an Identity', 'Identity', {}],
    ['a Dropout before version 12', 'Dropout', { opset: 11 }],
    [
      'a Dropout in inference',
      'Dropout',
      { more: (b) => [b.scalar(0.5), b.constant(Tensor.fromNumbers('bool', [], [0]))] },
    ],
    ['a Cast to the same type', 'Cast', { attributes: { to: attribute.int(1) } }],
    ['a Transpose into the same order', 'Transpose', { attributes: { perm: attribute.ints([0, 1]) } }],
    ['a Transpose of a vector', 'Transpose', { shape: [3] }],
    ['a Reshape to the same sizes', 'Reshape', { more: int64(2, 3) }],
    ['a Reshape that copies or leaves open', 'Reshape', { shape: batch, more: int64(-1, 3) }],
    ['a Reshape that copies an unknown size', 'Reshape', { shape: batch, more: int64(0, -1) }],
    ['a Flatten of a matrix', 'Flatten', {}],
    ['a Concat of one', 'Concat', { attributes: { axis: attribute.int(0) } }],
    ['a Sum of one', 'Sum', {}],
    ['a Slice of everything', 'Slice', { more: (b) => [b.int64([0]), b.int64([2 ** 31]), b.int64([0])] }],
    ['a Slice to the very end', 'Slice', { more: (b) => [b.int64([0]), b.int64([3]), b.int64([-1]), b.int64([1])] }],
    ['a Pad of nothing', 'Pad', { more: int64(0, 0, 0, 0) }],
    ['a Pad of nothing in version 2', 'Pad', { opset: 10, attributes: { pads: attribute.ints([0, 0, 0, 0]) } }],
    ['an Expand to ones', 'Expand', { more: int64(1, 1) }],
    ['an Expand to what is there', 'Expand', { more: int64(3) }],
    ['a Tile of one', 'Tile', { more: int64(1, 1) }],
    ['a Squeeze of no axes', 'Squeeze', {}],
    ['an Unsqueeze of no axes', 'Unsqueeze', { more: int64() }],
    ['a Mul by 1', 'Mul', { more: (b) => [b.scalar(1)] }],
    ['a Div by 1', 'Div', { more: (b) => [b.constant(Tensor.fromNumbers('float32', [1, 1], [1]))] }],
  ])('takes out %s', (_, opType, options) => {
    expect(isTakenOut(opType, options)).toBe(true);
  });

  it.each<[string, string, Case]>([
    [
      'a Dropout in training',
      'Dropout',
      { more: (b) => [b.scalar(0.5), b.constant(Tensor.fromNumbers('bool', [], [1]))] },
    ],
    ['a Cast to another type', 'Cast', { attributes: { to: attribute.int(11) } }],
    ['a Mul by another number', 'Mul', { more: (b) => [b.scalar(-1)] }],
    [
      'a Mul by 1 of more dimensions',
      'Mul',
      { more: (b) => [b.constant(Tensor.fromNumbers('float32', [1, 1, 1], [1]))] },
    ],
    [
      'a Mul by ones of more elements',
      'Mul',
      { more: (b) => [b.constant(Tensor.fromNumbers('float32', [3], [1, 1, 1]))] },
    ],
    ['a Transpose that turns', 'Transpose', { attributes: { perm: attribute.ints([1, 0]) } }],
    ['a Transpose of a matrix in the reverse order', 'Transpose', {}],
    ['a Transpose of unknown rank in the reverse order', 'Transpose', { shape: undefined }],
    ['a Reshape to other sizes', 'Reshape', { more: int64(3, 2) }],
    ['a Reshape of an unknown size to a known one', 'Reshape', { shape: batch, more: int64(2, 3) }],
    [
      'a Reshape with allowzero',
      'Reshape',
      { shape: batch, more: int64(0, 3), attributes: { allowzero: attribute.int(1) } },
    ],
    ['a Reshape to another rank', 'Reshape', { more: int64(2, 3, 1) }],
    ['a Flatten of more than a matrix', 'Flatten', { shape: [2, 3, 1] }],
    ['a Slice from the second', 'Slice', { more: (b) => [b.int64([1]), b.int64([9]), b.int64([0])] }],
    ['a Slice backwards', 'Slice', { more: (b) => [b.int64([0]), b.int64([9]), b.int64([0]), b.int64([-1])] }],
    [
      'a Slice up to an end that may lie inside',
      'Slice',
      { shape: batch, more: (b) => [b.int64([0]), b.int64([9]), b.int64([0])] },
    ],
    ['a Pad of something', 'Pad', { more: int64(0, 0, 0, 1) }],
    ['an Expand to more', 'Expand', { shape: [1, 3], more: int64(2, 1) }],
    ['an Expand to more dimensions', 'Expand', { more: int64(1, 1, 1) }],
    ['a Tile of two', 'Tile', { more: int64(1, 2) }],
    ['a Squeeze of all ones', 'Squeeze', { shape: [1, 3] }],
    // It makes infinities finite.
    ['a Clip without bounds', 'Clip', {}],
    ['an addition of zero, which changes -0', 'Add', { more: (b) => [b.scalar(0)] }],
  ])('leaves %s', (_, opType, options) => {
    expect(isTakenOut(opType, options)).toBe(false);
  });

  it('computes under the name of an output what an Identity copied there', () => {
    const b = new ModelBuilder(17);
    const x = b.add('Neg', [b.input('x', [2])], { outputs: ['inner'] });
    const model = b.finish([b.add('Identity', [x], { outputs: ['y'] }), b.add('Relu', [x], { outputs: ['z'] })]);
    removeIdentities().run(model);
    expect(printGraph(model.graph)).toMatchInlineSnapshot(`
      "graph graph(%x: float32[2]) {
        %y = Neg(%x)
        %z = Relu(%y)
        return %y: float32[…], %z: float32[…]
      }
      "
    `);
  });

  it('declines where both names are needed', () => {
    const b = new ModelBuilder(17);
    const input = b.input('x', [2]);
    const inner = b.add('Neg', [input], { outputs: ['n'] });
    const copies = [input, inner, inner, b.scalar(1)].map((value, index) =>
      b.add('Identity', [value], { outputs: [`y${index}`] }),
    );
    const model = b.finish(copies);
    const { declined } = removeIdentities().run(model);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y0', 'y1', 'y2', 'y3']);
    expect(declined).toEqual([
      "Identity 'y0' stays: its output 'y0' is one of the graph's, and its input is not computed there.",
      "Identity 'y2' stays: 'y1' and 'y2' are both outputs.",
      "Identity 'y3' stays: its output 'y3' is one of the graph's, and its input is not computed there.",
    ]);
  });

  it('does not let a branch return a value from outside', async () => {
    const b = new ModelBuilder(17);
    const x = b.add('Neg', [b.input('x', [2])]);
    const branch = (name: string) => {
      const inner = new ModelBuilder(17, name);
      return inner.finishGraph(inner.add('Identity', [x], { outputs: [name] }));
    };
    const attributes = { then_branch: attribute.graph(branch('yes')), else_branch: attribute.graph(branch('no')) };
    const model = b.finish([b.add('If', [b.constant(Tensor.fromNumbers('bool', [], [1]))], { attributes })]);
    expect(removeIdentities().run(model).modified).toBe(false);
  });

  it('lets a subgraph read what an Identity outside copied', () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [2]);
    const copy = b.add('Identity', [x]);
    const branch = (name: string) => {
      const inner = new ModelBuilder(17, name);
      return inner.finishGraph(inner.add('Neg', [copy], { outputs: [name] }));
    };
    const [yes, no] = [branch('yes'), branch('no')];
    const attributes = { then_branch: attribute.graph(yes), else_branch: attribute.graph(no) };
    const model = b.finish([b.add('If', [b.constant(Tensor.fromNumbers('bool', [], [1]))], { attributes })]);
    removeIdentities().run(model);
    expect(yes.nodes[0]?.input(0)).toBe(x);
    expect(copy.uses.size).toBe(0);
  });

  it('keeps the mask of a Dropout that somebody reads', () => {
    const b = new ModelBuilder(13);
    const [data, mask] = b.addAll('Dropout', [b.input('x', [2])], { outputs: ['data', 'mask'] }) as [Value, Value];
    const model = b.finish([b.add('Relu', [data]), typed(mask, 'bool')]);
    expect(removeIdentities().run(model).modified).toBe(false);
  });

  it('keeps what a model with nested Ifs computes', async () => {
    const model = await readOnnx(realModels.sileroV5);
    await expectEquivalent(model, [removeIdentities()], realModelFeeds('sileroV5'));
  });

  it('keeps what random graphs compute', () => expectEquivalentOnRandomGraphs([removeIdentities()]));
});
