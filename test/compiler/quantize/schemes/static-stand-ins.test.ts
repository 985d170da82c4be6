import { describe, expect, it } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { staticQdq } from '../../../../lib/compiler/quantize/schemes/static-qdq/static-qdq.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { quantizableNodes, STATIC, staticPlan } from '../../../support/quantization-plan.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';

const weight = (dims: readonly number[], seed = 1) =>
  Tensor.fromNumbers(
    'float32',
    dims,
    randomFloats(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  );

function pooled(): Model {
  const b = new ModelBuilder(18);
  const first = b.add('Conv', [b.input('x', [1, 3, 8, 8]), b.constant(weight([4, 3, 3, 3]))], { outputs: ['first'] });
  const relu = b.add('Relu', [first], { outputs: ['relu'] });
  const attributes = { kernel_shape: attribute.ints([2, 2]) };
  const pool = b.add('MaxPool', [relu], { attributes, outputs: ['pool'] });
  return b.finish([b.add('Conv', [pool, b.constant(weight([2, 4, 1, 1], 2))], { outputs: ['second'] })]);
}

const feeds = { x: randomTensor([1, 3, 8, 8]) };

describe('ranges recorded for all nodes serve some of them', () => {
  it.each([
    // What the pooling returns lies within the Relu's range, and what a Relu cuts off nobody needs.
    [['second'], ['pool', 'second']],
    [['first'], ['x', 'first']],
    [
      ['first', 'second'],
      ['x', 'first', 'pool', 'second'],
    ],
    [
      ['first', 'relu', 'pool', 'second'],
      ['x', 'relu', 'pool', 'second'],
    ],
  ])('%s', async (chosen, quantized) => {
    const model = pooled();
    const { plan, values } = await staticPlan(model, feeds, { only: (node) => chosen.includes(node.output().name) });
    expect(values).toEqual(['x', 'relu', 'second']);
    expect(applyPlan(model, plan).declined).toEqual([]);
    const names = model.graph.nodes.flatMap(({ opType, outputs }) =>
      opType === 'QuantizeLinear' ? (outputs[0]?.name.replace('_quantized', '') ?? []) : [],
    );
    expect(names.sort()).toEqual([...quantized].sort());
    const relu = model.graph.nodes.filter(
      ({ opType, outputs }) => opType === 'QuantizeLinear' && outputs[0]?.name !== 'x_quantized',
    );
    const scales = relu
      .filter(({ outputs }) => outputs[0]?.name !== 'second_quantized')
      .map((node) => node.constantInput(1)?.numbers()[0]);
    // One range, the Relu's.
    expect(new Set(scales).size).toBeLessThanOrEqual(1);
  });

  it('are asked for by the same names, so that a lock keeps those that stand in', () => {
    const model = pooled();
    const assignments = quantizableNodes(model)
      .filter((node) => node.output().name === 'second')
      .map((node) => ({ node, recipe: STATIC }));
    expect(staticQdq.activations(assignments)).toEqual(['pool', 'relu', 'second']);
  });

  it('are not needed for what lies between 0 and 1 anyway', async () => {
    const b = new ModelBuilder(18);
    const softmax = b.add('Softmax', [b.input('x', [4, 8])], { outputs: ['softmax'] });
    const model = b.finish([b.add('MatMul', [softmax, b.constant(weight([8, 3]))], { outputs: ['y'] })]);
    const { plan } = await staticPlan(model, { x: randomTensor([4, 8]) }, { only: (node) => node.is('MatMul') });
    expect(plan.activations.map(({ tensor }) => tensor)).toEqual(['x']);
    expect(applyPlan(model, plan).declined).toEqual([]);
    const [quantize] = model.graph.nodes.filter(({ opType }) => opType === 'QuantizeLinear');
    expect(quantize?.constantInput(1)?.numbers()).toEqual([Math.fround(1 / 255)]);
  });
});
