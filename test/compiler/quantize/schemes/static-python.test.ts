import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../../lib/compiler/passes/presets.js';
import { applyPlan } from '../../../../lib/compiler/quantize/apply-plan.js';
import { readOnnx } from '../../../../lib/compiler/readers/onnx.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { requirePython } from '../../../support/python.js';
import { PythonWorker } from '../../../support/python-worker.js';
import { recordRanges, STATIC, staticPlan } from '../../../support/quantization-plan.js';
import { QUANTIZATION_REQUIREMENTS } from '../../../support/quantization-python.js';
import { realModelFeeds } from '../../../support/real-model-feeds.js';
import { realModels } from '../../../support/real-models.js';

/** Scale, zero point, and the integers of a constant. */
type Stored = readonly [scale: number[], zeroPoint: number[], integers: number[] | null];

let worker: PythonWorker | undefined;
beforeEach(({ skip }) => {
  const python = requirePython(QUANTIZATION_REQUIREMENTS, skip);
  worker ??= new PythonWorker(python, join(import.meta.dirname, 'python_static.py'));
}, 600_000);
afterAll(() => worker?.stop());

/** By the name of the float32 tensor. */
function storedIn({ graph }: Model): Map<string, Stored> {
  const found = new Map<string, Stored>();
  for (const node of graph.nodes) {
    if (node.opType !== 'DequantizeLinear') continue;
    const integers = node.constantInput(0);
    const name = (node.input(0)?.name ?? '').replace(/_quantized(_\d+)?$/, '');
    const [scale, zeroPoint] = [node.constantInput(1), node.constantInput(2)];
    if (scale === undefined || zeroPoint === undefined) throw new Error('a scale is not constant');
    found.set(name, [scale.numbers(), zeroPoint.numbers(), integers?.numbers() ?? null]);
  }
  return found;
}

/** Python names them after the tensor too. */
const pythonName = (name: string) => name.replace(/(_QuantizeLinear_Output|_quantized)$/, '');

const CASES = [
  { name: 'blazefaceBack', recipe: STATIC },
  { name: 'ocrAngleClassifier', recipe: STATIC },
  { name: 'ocrAngleClassifier', recipe: { ...STATIC, perChannel: false, weights: 'uint8' } },
  { name: 'ocrAngleClassifier', recipe: { ...STATIC, activations: 'int8', reduceRange: true } },
] as const;

describe('quantized here and by Python on the same ranges', () => {
  it.each(CASES)(
    '$name has the same scales, zero points and integers: $recipe.activations, $recipe.weights, per channel: $recipe.perChannel',
    async ({ name, recipe }) => {
      const model = await readOnnx(realModels[name]);
      await runPasses(model, normalize());
      await inferTypes(model);
      await runPasses(model, lossless());
      await inferTypes(model);
      const feeds = realModelFeeds(name);
      const folder = mkdtempSync(join(tmpdir(), 'static-python-'));
      try {
        const [source, target] = [join(folder, 'float.onnx'), join(folder, 'quantized.onnx')];
        writeFileSync(source, modelToBytes(model));
        const computed = model.graph.nodes.flatMap((node) => node.outputs.flatMap((value) => value?.name ?? []));
        const ranges = await recordRanges(
          model,
          [...computed, ...model.graph.inputs.map((value) => value.name)],
          feeds,
        );
        const { plan } = await staticPlan(model, feeds, { recipe });
        const answer = (await worker?.call('quantize', {
          source,
          target,
          ranges: Object.fromEntries([...ranges].map(([key, { min, max }]) => [key, [min, max]])),
          activations: recipe.activations === 'uint8' ? 'QUInt8' : 'QInt8',
          weights: recipe.weights === 'uint8' ? 'QUInt8' : 'QInt8',
          per_channel: recipe.perChannel,
          reduce_range: recipe.reduceRange,
        })) as Record<string, Stored>;
        const expected = new Map(Object.entries(answer).map(([key, stored]) => [pythonName(key), stored]));
        expect(applyPlan(model, plan).declined.length).toBeLessThanOrEqual(1);
        const actual = storedIn(model);
        const [constants, activations] = [new Map<string, unknown>(), new Map<string, unknown>()];
        for (const [key, stored] of actual) {
          const other = expected.get(key);
          // A constant that two tensors share has the name of one.
          if (other === undefined) continue;
          if (stored[2] === null) activations.set(key, [stored, other]);
          else constants.set(key, [stored, other]);
          expect(stored).toEqual(other);
        }
        expect(activations.size + constants.size).toBe(expected.size);
        expect(activations.size).toBeGreaterThan(50);
        expect(constants.size).toBeGreaterThan(50);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
