import fc from 'fast-check';
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { convertOpset } from '../../../lib/compiler/passes/convert-opset.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomFloats } from '../../support/random-numbers.js';

interface Case {
  readonly opType: string;
  readonly dims: readonly number[];
  readonly axis: number;
  readonly typed: 'shape' | 'rank' | 'nothing';
}

const cases = fc
  .record({
    opType: fc.constantFrom('Softmax', 'LogSoftmax', 'Hardmax'),
    dims: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
    typed: fc.constantFrom('shape' as const, 'rank' as const, 'nothing' as const),
  })
  .chain(({ opType, dims, typed }) =>
    fc.integer({ min: -dims.length, max: dims.length - 1 }).map((axis): Case => ({ opType, dims, axis, typed })),
  );

function build({ opType, dims, axis, typed }: Case) {
  const b = new ModelBuilder(11);
  const shape = typed === 'shape' ? dims : typed === 'rank' ? dims.map(() => undefined) : undefined;
  return b.finish([b.add(opType, [b.input('x', shape)], { attributes: { axis: attribute.int(axis) } })]);
}

it('any axis of any rank, whatever is known of the shape', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (example) => {
      const count = example.dims.reduce((product, size) => product * size, 1);
      const x = new RuntimeTensor('float32', randomFloats(count, 7, -3, 3), [...example.dims]);
      await expectSameBits(build(example), [convertOpset(21)], { x });
    }),
    { seed: 20, numRuns: 150 },
  );
});

it('stays one node where nothing longer than 1 follows the axis', async () => {
  for (const [dims, axis, typed] of [
    [[2, 3], 1, 'shape'],
    [[2, 3, 4], -1, 'nothing'],
    [[2, 3, 4], 2, 'rank'],
    [[2, 3, 1, 1], 1, 'shape'],
  ] as const) {
    const model = build({ opType: 'Softmax', dims, axis, typed });
    await convertOpset(13).run(model);
    expect(
      model.graph.nodes.map((node) => node.opType),
      `${dims} ${axis}`,
    ).toEqual(['Softmax']);
  }
});

it('spells the flattening out elsewhere, and keeps the output’s name', async () => {
  const model = build({ opType: 'Softmax', dims: [2, 3, 4], axis: 1, typed: 'shape' });
  const name = model.graph.outputs[0]?.name;
  await convertOpset(13).run(model);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Shape', 'Flatten', 'Softmax', 'Reshape']);
  expect(model.graph.outputs[0]?.name).toBe(name);
});

it('the default axis was 1 and is the last', async () => {
  const b = new ModelBuilder(11);
  const model = b.finish([b.add('Softmax', [b.input('x', [2, 3, 4])])]);
  await expectSameBits(model, [convertOpset(13)], { x: new RuntimeTensor('float32', randomFloats(24), [2, 3, 4]) });
});
