import { expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { keepPaddingApart } from '../../../lib/compiler/passes/keep-padding-apart.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { randomFloats } from '../../support/channels-last-network.js';
import { largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { runModel } from '../../support/run-model.js';

/** x → −|x| → Pad with zeros → MaxPool. */
function pooled(opset: number, value?: number): Model {
  const b = new ModelBuilder(opset);
  const x = b.add('Neg', [b.add('Abs', [b.input('x', ['N', 3, 6, 7])])]);
  const zero = value === undefined ? [] : [b.constant(Tensor.scalar('float32', value))];
  const pad = b.add('Pad', [x, b.int64([0, 0, 1, 1, 0, 0, 0, 2]), ...zero]);
  return b.finish([b.add('MaxPool', [pad], { attributes: { kernel_shape: attribute.ints([3, 3]) }, outputs: ['y'] })]);
}

async function differenceByOptimizing(model: Model): Promise<number> {
  const feeds = toOrtFeeds({ x: randomFloats([2, 3, 6, 7], 3) });
  const bytes = modelToBytes(model);
  const plain = await runModel(bytes, feeds);
  return largestRelativeDifference(await runModel(bytes, feeds, { graphOptimizationLevel: 'all' }), plain);
}

it.each([[undefined], [0]])(
  'zeros beside what is negative stay zeros when onnxruntime optimizes (%s)',
  async (value) => {
    const model = pooled(18, value);
    // Where this holds no longer, onnxruntime was mended, and the pass may go.
    expect(await differenceByOptimizing(model)).toBeGreaterThan(0.1);
    expect((await runPasses(model, [keepPaddingApart()])).modified).toEqual(['keep-padding-apart']);
    expect(await differenceByOptimizing(model)).toBe(0);
    expect((await runPasses(model, [keepPaddingApart()])).modified).toEqual([]);
  },
);

it('leaves alone what has no axes yet, and what no pool reads', async () => {
  expect((await runPasses(pooled(17), [keepPaddingApart()])).modified).toEqual([]);
  const b = new ModelBuilder(18);
  const pad = b.add('Pad', [b.input('x', ['N', 3]), b.int64([0, 1, 0, 0])], { outputs: ['y'] });
  expect((await runPasses(b.finish([pad]), [keepPaddingApart()])).modified).toEqual([]);
});
