import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeModel } from '../../../lib/compiler/formats/onnx/decode.js';
import { modelFromProto } from '../../../lib/compiler/ir/serialization/from-proto.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { convertOpset, DEFAULT_OPSET, NEWEST_OPSET, OLDEST_OPSET } from '../../../lib/compiler/passes/convert-opset.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { beforeAndAfter, expectSameBits } from '../../support/before-and-after.js';
import { expectEqualOutputs, largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';
import { hasOnnxTestdata, recordedInputs, type TestModel, testModels } from '../../support/onnx-testdata.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../support/real-models.js';
import { openModel } from '../../support/run-model.js';

describe.each(Object.keys(realModels) as RealModelName[])('%s', (name) => {
  it('computes the same, to the bit, at the opset that build converts to', async () => {
    const model = await readOnnx(realModels[name]);
    await expectSameBits(model, [convertOpset(DEFAULT_OPSET)], realModelFeeds(name));
    expect(model.opset).toBe(DEFAULT_OPSET);
  });

  it('computes the same at the newest opset', async () => {
    const model = await readOnnx(realModels[name]);
    const pools = model.graph.nodes.some((node) => node.is('AveragePool'));
    const { before, after, result } = await beforeAndAfter(model, [convertOpset(NEWEST_OPSET)], realModelFeeds(name));
    expect(result.declined).toEqual([]);
    // onnxruntime sums the windows of an AveragePool in another order from opset 19 on.
    if (pools) expect(largestRelativeDifference(after, before)).toBeLessThan(1e-5);
    else expectEqualOutputs(after, before);
  });
});

describe('the operator test models of ONNX', () => {
  if (!hasOnnxTestdata) {
    it.skipIf(process.env.CI !== 'true')('skipped: needs libonnx-testdata (apt-get install libonnx-testdata)', () => {
      expect.fail('needs libonnx-testdata');
    });
    return;
  }

  it('compute the same at the newest opset', { timeout: 90_000 }, async () => {
    const tally: Record<string, number> = {};
    const faults: string[] = [];
    for (const testModel of testModels()) {
      const outcome = await outcomeOf(testModel);
      tally[outcome.kind] = (tally[outcome.kind] ?? 0) + 1;
      if (outcome.kind === 'fault') faults.push(`${testModel.name}: ${outcome.reason}`);
    }
    expect(faults).toEqual([]);
    expect(tally.same ?? 0).toBeGreaterThan(850);
  });
});

type Outcome =
  | { readonly kind: 'same' | 'out of range' | 'not run by onnxruntime' }
  | { readonly kind: 'fault'; readonly reason: string };

async function outcomeOf({ name, path, dataSets }: TestModel): Promise<Outcome> {
  const bytes = new Uint8Array(readFileSync(path));
  const model = modelFromProto(decodeModel(bytes));
  const opset = model.opsetImports.get('');
  if (opset === undefined || opset < OLDEST_OPSET || opset >= NEWEST_OPSET) return { kind: 'out of range' };
  const recorded = dataSets.map((dataSet) => recordedInputs(model, dataSet));
  const { modified, declined } = await convertOpset(NEWEST_OPSET).run(model);
  if (!modified) return { kind: 'fault', reason: declined?.join() ?? 'nothing changed' };
  const before = await openModel(bytes).catch(() => undefined);
  if (before === undefined) return { kind: 'not run by onnxruntime' };
  const after = await openModel(modelToBytes(model));
  try {
    for (const inputs of recorded) {
      if (inputs === undefined) return { kind: 'not run by onnxruntime' };
      const feeds = toOrtFeeds(inputs);
      const expected = await before.run(feeds).catch(() => undefined);
      if (expected === undefined) return { kind: 'not run by onnxruntime' };
      const actual = await after.run(feeds);
      if (!name.includes('averagepool')) expectEqualOutputs({ ...actual }, { ...expected });
      else expect(largestRelativeDifference({ ...actual }, { ...expected })).toBeLessThan(1e-6);
    }
    return { kind: 'same' };
  } catch (error) {
    return { kind: 'fault', reason: String(error) };
  } finally {
    await before.release();
    await after.release();
  }
}
