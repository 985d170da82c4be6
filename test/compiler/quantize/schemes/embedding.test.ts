import fc from 'fast-check';
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../../lib/compiler/ir/traversal.js';
import { dequantizeTensor, quantizeWeight } from '../../../../lib/compiler/quantize/parameters/quantize-weight.js';
import { embedding } from '../../../../lib/compiler/quantize/schemes/embedding.js';
import { applyScheme } from '../../../support/apply-scheme.js';
import { expectEqualOutputs } from '../../../support/compare-outputs.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { optimizedOperators } from '../../../support/quantization/optimized-operators.js';
import { randomFloats } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';

const RECIPE = { scheme: 'int8-embedding' } as const;

const int64 = (numbers: readonly number[], dims: readonly number[]) =>
  new RuntimeTensor('int64', BigInt64Array.from(numbers.map(BigInt)), dims);

function build(table: Tensor, axis = 0) {
  const b = new ModelBuilder(13);
  const ids = b.input('ids', undefined, 'int64');
  const gathered = b.add('Gather', [b.constant(table, 'table'), ids], {
    attributes: { axis: attribute.int(axis) },
    outputs: ['y'],
  });
  return b.finish([gathered]);
}

describe('embeddings of 8 bits', () => {
  it('gather what the rows of integers stand for', async () => {
    const examples = fc.record({
      dims: fc.constantFrom([5, 9], [5, 2, 3], [1, 8], [7, 1, 1, 16]),
      ids: fc.constantFrom([], [1], [3], [2, 2], [0], [2, 0, 3]),
      negativeAxis: fc.boolean(),
      seed: fc.nat({ max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(examples, async ({ dims, ids, negativeAxis, seed }) => {
        const size = (of: readonly number[]) => of.reduce((total, each) => total * each, 1);
        const numbers = randomFloats(size(dims), seed).map((n, index) => n * 4 ** -(index % 3) * (index < 6 ? 0 : 1));
        const table = Tensor.fromTyped('float32', dims, numbers);
        const [rows = 1] = dims;
        const indices = Array.from({ length: size(ids) }, (_, index) => ((seed + index) % (2 * rows)) - rows);
        const feeds = { ids: int64(indices, ids) };
        const axis = negativeAxis ? -dims.length : 0;
        const { integers, parameters } = quantizeWeight('table', table, { dataType: 'int8', axis: 0 });
        const expected = await runModel(modelToBytes(build(dequantizeTensor(integers, parameters), axis)), feeds);
        const model = build(table, axis);
        expect(applyScheme(model, embedding({ minimumRow: 1 }), RECIPE).rewritten).toEqual(['y']);
        for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
          expectEqualOutputs(await runModel(modelToBytes(model), feeds, { graphOptimizationLevel }), expected);
        }
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('share one table, in subgraphs too, and gather before they compute', async () => {
    const b = new ModelBuilder(13);
    const table = b.constant(Tensor.fromTyped('float32', [50, 16], randomFloats(800)), 'table');
    const ids = b.input('ids', ['n'], 'int64');
    const other = b.input('other', ['n'], 'int64');
    const flag = b.input('flag', [], 'bool');
    const branch = (name: string) => {
      const inner = new ModelBuilder(13, name);
      return attribute.graph(inner.finishGraph(inner.add('Gather', [table, other], { outputs: [`${name}_y`] })));
    };
    const chosen = b.add('If', [flag], { attributes: { then_branch: branch('then'), else_branch: branch('else') } });
    const model = b.finish([b.add('Add', [b.add('Gather', [table, ids]), chosen], { outputs: ['y'] })]);
    expect(applyScheme(model, embedding(), RECIPE).rewritten).toHaveLength(3);
    expect([...model.graph.initializers].map(({ elementType, staticShape }) => [elementType, staticShape])).toEqual([
      ['int8', [50, 16]],
      ['float32', [50, 1]],
    ]);
    expect([...nodesOf(model)].filter(({ opType }) => opType === 'Gather')).toHaveLength(6);
    const optimized = await optimizedOperators(model);
    expect(optimized.filter((opType) => opType === 'Gather').length).toBeGreaterThanOrEqual(4);
    expect(optimized).toContain('Cast');
  });

  it('are refused for other axes, short rows and computed tables', () => {
    const scheme = embedding();
    const table = Tensor.fromTyped('float32', [8, 16], randomFloats(128));
    const refusal = (model: ReturnType<typeof build>) => {
      const [node] = model.graph.nodes;
      return node && scheme.refusal(node, RECIPE);
    };
    expect(refusal(build(table, 1))).toContain('gathers along axis 1, not rows');
    expect(refusal(build(table, -1))).toContain('gathers along axis -1');
    expect(refusal(build(Tensor.fromTyped('float32', [32, 4], randomFloats(128))))).toContain('shorter than 8');
    expect(refusal(build(Tensor.fromTyped('float32', [128], randomFloats(128))))).toContain('shorter than 8');
    expect(refusal(build(Tensor.int64([1, 2, 3])))).toContain('is int64');
    const b = new ModelBuilder(13);
    const { producer } = b.add('Gather', [b.input('x', [8, 16]), b.int64([1])]);
    expect(producer && scheme.refusal(producer, RECIPE)).toContain("'x' is not constant");
  });
});
