import { expect, it } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../../lib/compiler/ir/traversal.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../../lib/compiler/passes/presets.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { nodeKeyOf } from '../../../../lib/compiler/quantize/node-key.js';
import { EMPTY_PLAN } from '../../../../lib/compiler/quantize/plan.js';
import { type Outputs, signalToNoise } from '../../../support/before-and-after.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';
import { PRODUCTS_SATURATE } from '../../../support/saturating-cpu.js';

it.skipIf(PRODUCTS_SATURATE)(
  'products in subgraphs share weights, and quantize what they read of the graph around once in each',
  async () => {
    const b = new ModelBuilder(13);
    const x = b.input('x', ['rows', 32]);
    const w = b.constant(Tensor.fromTyped('float32', [32, 32], randomFloats(1024)), 'w');
    const first = b.add('Tanh', [b.add('MatMul', [x, w], { outputs: ['first'] })]);
    const branch = (name: string) => {
      const inner = new ModelBuilder(13, name);
      // In a Constant of its own, and shared with the graph around.
      const value = attribute.tensor(Tensor.fromTyped('float32', [32, 32], randomFloats(1024, 5)));
      const own = inner.add('Constant', [], { attributes: { value }, outputs: [`${name}_w`] });
      const left = inner.add('MatMul', [first, w], { outputs: [`${name}_left`] });
      const right = inner.add('MatMul', [first, own], { outputs: [`${name}_right`] });
      return attribute.graph(inner.finishGraph(inner.add('Add', [left, right], { outputs: [`${name}_y`] })));
    };
    const condition = b.add('Greater', [
      b.add('ReduceMax', [first], { attributes: { keepdims: attribute.int(0) } }),
      b.scalar(0),
    ]);
    const attributes = { then_branch: branch('then'), else_branch: branch('else') };
    const model = b.finish([b.add('If', [condition], { attributes, outputs: ['y'] })]);
    const feeds = { x: randomTensor([3, 32], 4) };
    const before = (await runModel(modelToBytes(model), feeds)) as Outputs;
    await runPasses(model, normalize());
    const recipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false } as const;
    const nodes = [...nodesOf(model)].filter((node) => node.is('MatMul'));
    expect(nodes).toHaveLength(5);
    const recipes = nodes.map((node) => ({ node: nodeKeyOf(node), recipe }));
    expect(applyPlan(model, { ...EMPTY_PLAN, recipes }).declined).toEqual([]);
    const operators = [...nodesOf(model)].map(({ opType }) => opType);
    // One in the graph, and one in each branch for the two products there.
    expect(operators.filter((opType) => opType === 'DynamicQuantizeLinear')).toHaveLength(3);
    expect(operators).not.toContain('MatMul');
    for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
      const after = (await runModel(modelToBytes(model), feeds, { graphOptimizationLevel })) as Outputs;
      expect(signalToNoise(before, after)).toBeGreaterThan(30);
    }
  },
);
