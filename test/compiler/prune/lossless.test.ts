import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { copyModel } from '../../../lib/compiler/ir/copy.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import { convertOpset, DEFAULT_OPSET } from '../../../lib/compiler/passes/convert-opset.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../lib/compiler/passes/presets.js';
import { replaceWeights } from '../../../lib/compiler/passes/replace-weights.js';
import { unshareConstants } from '../../../lib/compiler/passes/unshare-constants.js';
import { type LosslessUnits, removeSilentUnits } from '../../../lib/compiler/prune/lossless/lossless.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { fromOrt, largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { prunableGraphs, typesByRunning } from '../../support/prunable-graph.js';
import { randomGraphs } from '../../support/random-graph.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';
import { runModel } from '../../support/run-model.js';

type Feeds = Readonly<Record<string, Tensor>>;

interface Outcome {
  readonly removed: readonly LosslessUnits[];
  readonly difference: number;
}

async function removeAndCompare(model: Model, feeds: Feeds): Promise<Outcome> {
  const before = await runModel(modelToBytes(model), toOrtFeeds(feeds));
  const prepared = copyModel(model);
  await runPasses(prepared, [unshareConstants()]);
  await typesByRunning(prepared, feeds);
  const { weights, removed } = removeSilentUnits(prepared);
  const pruned = copyModel(model);
  await runPasses(pruned, [replaceWeights(weights)]);
  validate(pruned);
  const after = await runModel(modelToBytes(pruned), toOrtFeeds(feeds));
  return { removed, difference: largestRelativeDifference(after, before) };
}

describe('a model without the channels that say nothing computes the same within 1e-5', () => {
  it('in random networks with channels of zeros and multiples', { timeout: 120_000 }, async () => {
    let [dead, duplicate] = [0, 0];
    await fc.assert(
      fc.asyncProperty(prunableGraphs({ silent: true }), async (recipe) => {
        const { model, feeds } = recipe.build();
        await runPasses(model, normalize());
        const { removed, difference } = await removeAndCompare(model, feeds);
        expect(difference).toBeLessThan(1e-5);
        for (const group of removed) {
          dead += group.dead;
          duplicate += group.duplicate;
        }
      }),
      { seed: 1, numRuns: 120 },
    );
    expect(dead).toBeGreaterThan(30);
    expect(duplicate).toBeGreaterThan(10);
  });

  it('in random graphs of any operators', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(randomGraphs({ maximumOperations: 24 }), async (recipe) => {
        const { model, feeds } = recipe.build();
        await runPasses(model, [...normalize(), convertOpset(DEFAULT_OPSET)]);
        expect((await removeAndCompare(model, feeds)).difference).toBeLessThan(1e-5);
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it('in the OCR recognizer, which has such channels', async () => {
    const model = await readOnnx(realModels.ocrRecognizer);
    await runPasses(model, [...normalize(), ...lossless()]);
    const entries = Object.entries(realModelFeeds('ocrRecognizer'));
    const { removed, difference } = await removeAndCompare(
      model,
      Object.fromEntries(entries.map(([name, value]) => [name, fromOrt(value)])),
    );
    const sum = (of: (group: LosslessUnits) => number) => removed.reduce((all, group) => all + of(group), 0);
    expect(sum(({ dead, duplicate }) => dead + duplicate)).toBeGreaterThan(10);
    expect(difference).toBeLessThan(1e-5);
  });
});

/** x → Conv 3 to 4 channels → `middle` → Conv to 2 channels. */
async function between(
  weights: readonly number[],
  bias: readonly number[],
  opType: string,
  second: { readonly pads?: number; readonly bias?: boolean } = {},
): Promise<LosslessUnits | undefined> {
  const b = new ModelBuilder(18);
  const first = b.add('Conv', [b.input('x', [1, 3, 4, 4]), b.floats(weights, [4, 3, 1, 1]), b.floats(bias)]);
  const middle = b.add(opType, [first]);
  const { pads = 0, bias: hasBias = true } = second;
  const inputs = [middle, b.floats(randomFloats(72, 9), [2, 4, 3, 3]), ...(hasBias ? [b.floats([1, 2])] : [])];
  const y = b.add('Conv', inputs, { attributes: { pads: attribute.ints([pads, pads, pads, pads]) }, outputs: ['y'] });
  const model = b.finish([y]);
  const { removed, difference } = await removeAndCompare(model, { x: fromOrt(randomTensor([1, 3, 4, 4])) });
  expect(difference).toBeLessThan(1e-5);
  return removed[0];
}

describe('a channel', () => {
  const row = [0.5, -0.25, 0.75];
  const others = [1, 2, 3, -1, 0.5, 2];
  const zeros = [0, 0, 0];

  it('is dead if nothing goes into it, and what it adds to padding is nothing', async () => {
    expect(await between([...zeros, ...row, ...others], [-1, 0, 0, 0], 'Relu', { pads: 1 })).toMatchObject({ dead: 1 });
    expect(await between([...zeros, ...row, ...others], [1, 0, 0, 0], 'Relu', { pads: 0 })).toMatchObject({ dead: 1 });
    expect(await between([...zeros, ...row, ...others], [1, 0, 0, 0], 'HardSwish')).toMatchObject({ dead: 1 });
  });

  it('stays if zeros around a constant would show, or there is no bias to take it up', async () => {
    expect(await between([...zeros, ...row, ...others], [1, 0, 0, 0], 'Relu', { pads: 1 })).toBeUndefined();
    expect(await between([...zeros, ...row, ...others], [1, 0, 0, 0], 'Relu', { bias: false })).toBeUndefined();
    expect(await between([...zeros, ...row, ...others], [0, 0, 0, 0], 'Sigmoid', { pads: 1 })).toBeUndefined();
  });

  it('speaks for its positive multiples through Relu, and for its equals through anything', async () => {
    const twice = row.map((weight) => 2 * weight);
    const minus = row.map((weight) => -weight);
    const one = { dead: 0, duplicate: 1 };
    expect(await between([...row, ...twice, ...others], [0.5, 1, 0, 0], 'Relu', { pads: 1 })).toMatchObject(one);
    expect(await between([...row, ...twice, ...others], [0.5, 1, 0, 0], 'Sigmoid')).toBeUndefined();
    expect(await between([...row, ...twice, ...others], [0.5, 0.5, 0, 0], 'Relu')).toBeUndefined();
    expect(await between([...row, ...minus, ...others], [0, 0, 0, 0], 'Relu')).toBeUndefined();
    expect(await between([...row, ...row, ...others], [0.5, 0.5, 0, 0], 'Sigmoid', { pads: 1 })).toMatchObject(one);
  });
});
