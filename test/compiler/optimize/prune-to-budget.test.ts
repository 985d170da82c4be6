import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareModel } from '../../../lib/compiler/build/prepare.js';
import type { Sample } from '../../../lib/compiler/data/data-set.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { budgetJudge } from '../../../lib/compiler/optimize/prune-to-budget.js';
import { memoryDataSet } from '../../support/memory-data-set.js';
import { ModelBuilder } from '../../support/model-builder.js';

const SAMPLES = 20;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-budget-'));
});
afterAll(() => rmSync(root, { recursive: true }));

/** Of two classes the one whose input is larger, with `head` as a start for the first. */
function classifier(head: number): Model {
  const builder = new ModelBuilder(17);
  const scores = builder.add('Add', [builder.input('x', [1, 2]), builder.floats([head, 0], [1, 2])], {
    outputs: ['scores'],
  });
  return builder.finish([scores]);
}

/** The second class leads by 1, in the first `close` samples by 0.25. */
function samples(close: number) {
  return memoryDataSet(
    Array.from({ length: SAMPLES }, (_, index): Sample => {
      const lead = index < close ? 0.25 : 1;
      return {
        id: String(index),
        steps: [{ x: { dataType: 'float32', dims: [1, 2], data: Float32Array.of(0, lead) } }],
      };
    }),
  );
}

describe('a pruned model', () => {
  it.each([
    // 1 - 0.95 is a little more than 0.05, and 0.05 and 0.1 are what people write.
    ['that loses exactly what the budget allows is accepted', 1, 0.05, 1, true],
    ['that loses exactly the share of it that it may is accepted', 1, 0.1, 0.5, true],
    ['that loses a sample more is not', 2, 0.05, 1, false],
    ['that loses more than its share is not', 2, 0.1, 0.5, false],
  ])('%s', async (_, close, maxLoss, share, isAccepted) => {
    const folder = join(mkdtempSync(join(root, 'model-')), 'm');
    mkdirSync(folder);
    writeFileSync(join(folder, 'm.onnx'), modelToBytes(classifier(0.125)));
    const optimize = { goal: 'size', budget: { metric: 'agreement', maxLoss }, calibration: 'a', evaluation: 'b' };
    writeFileSync(join(folder, 'model.json'), JSON.stringify({ name: 'm', source: 'm.onnx', optimize }));
    const { signal } = new AbortController();
    await using judge = await budgetJudge(await prepareModel(folder), samples(close), { share, signal });
    expect(await judge.accepts(classifier(0.5))).toBe(isAccepted);
  });
});
