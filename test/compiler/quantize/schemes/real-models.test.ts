import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../../../../lib/artifact/recipe.js';
import { modelToBytes, writeModel } from '../../../../lib/compiler/ir/serialization/write.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../../lib/compiler/passes/presets.js';
import type { SchemeRewrite } from '../../../../lib/compiler/quantize/scheme.js';
import { blockwiseScheme } from '../../../../lib/compiler/quantize/schemes/blockwise/matmul-nbits.js';
import { dynamicScheme } from '../../../../lib/compiler/quantize/schemes/dynamic.js';
import { float16Storage } from '../../../../lib/compiler/quantize/schemes/float16-storage.js';
import { weightOnly } from '../../../../lib/compiler/quantize/schemes/weight-only.js';
import { readOnnx } from '../../../../lib/compiler/readers/onnx.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { applyScheme } from '../../../support/apply-scheme.js';
import { type Outputs, signalToNoise } from '../../../support/before-and-after.js';
import { randomTensor } from '../../../support/random-numbers.js';
import { realModelFeeds } from '../../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../../support/real-models.js';
import { runModel } from '../../../support/run-model.js';
import { transformer } from '../../../support/transformer.js';

async function load(name: RealModelName | 'transformer') {
  if (name === 'transformer') {
    const model = transformer({ layers: 2, width: 64, heads: 4 });
    await runPasses(model, normalize());
    return { model, feeds: { x: randomTensor([2, 9, 64], 3) } };
  }
  const model = await readOnnx(realModels[name]);
  const isSilero = name === 'sileroV5';
  await runPasses(model, normalize({ inputs: isSilero ? { sr: { value: 16_000 } } : {} }));
  await inferTypes(model);
  await runPasses(model, lossless());
  const { sr, ...feeds } = realModelFeeds(name);
  return { model, feeds: isSilero || sr === undefined ? feeds : { ...feeds, sr } };
}

const dynamic = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false } as const;
const weights = { scheme: 'int8-weight-only', perChannel: true } as const;
const half = { scheme: 'fp16-storage' } as const;
const blocks = { scheme: 'matmul-nbits', bits: 4, blockSize: 32, symmetric: false, accuracyLevel: 4 } as const;

interface Case {
  readonly model: RealModelName | 'transformer';
  readonly apply: (model: Awaited<ReturnType<typeof load>>['model']) => { readonly rewritten: readonly string[] };
  readonly scheme: string;
  readonly nodes: number;
  /** dB at least, and bytes against float32 at most. */
  readonly snr: number;
  readonly size: number;
}

function testCase<R extends Recipe>(
  model: Case['model'],
  scheme: SchemeRewrite<R>,
  recipe: R,
  [nodes, snr, size]: readonly [number, number, number],
): Case {
  return { model, scheme: scheme.scheme, nodes, snr, size, apply: (of) => applyScheme(of, scheme, recipe) };
}

describe('real models', () => {
  it.each([
    testCase('sileroV5', dynamicScheme, dynamic, [1, 35, 0.7]),
    testCase('sileroV5', weightOnly(), weights, [6, 22, 0.28]),
    testCase('sileroV5', float16Storage(), half, [6, 55, 0.52]),
    testCase('ocrAngleClassifier', dynamicScheme, dynamic, [1, 55, 1]),
    testCase('ocrAngleClassifier', weightOnly(), weights, [45, 26, 0.37]),
    testCase('ocrAngleClassifier', blockwiseScheme, blocks, [1, 30, 1]),
    testCase('ocrDetector', weightOnly(), weights, [54, 22, 0.28]),
    testCase('ocrDetector', float16Storage(), half, [54, 50, 0.52]),
    testCase('blazefaceBack', weightOnly(), weights, [52, 18, 0.43]),
    testCase('transformer', dynamicScheme, dynamic, [12, 34, 0.31]),
    testCase('transformer', weightOnly(), weights, [12, 40, 0.31]),
    testCase('transformer', blockwiseScheme, blocks, [12, 16, 0.21]),
  ])('$model with $scheme keeps $snr dB in $size of the bytes', async ({ model: name, apply, nodes, snr, size }) => {
    const { model, feeds } = await load(name);
    const outputs = model.graph.outputs.map((value) => value.name);
    const bytesBefore = modelToBytes(model);
    const before = await runModel(bytesBefore, feeds, { graphOptimizationLevel: 'all' });
    expect(apply(model).rewritten).toHaveLength(nodes);
    expect(model.graph.outputs.map((value) => value.name)).toEqual(outputs);
    const bytesAfter = modelToBytes(model);
    const after = await runModel(bytesAfter, feeds, { graphOptimizationLevel: 'all' });
    expect(signalToNoise(before as Outputs, after as Outputs)).toBeGreaterThan(snr);
    expect(bytesAfter.byteLength / bytesBefore.byteLength).toBeLessThan(size);
    if (name !== 'transformer') return;
    const again = (await load(name)).model;
    apply(again);
    expect(Buffer.compare(modelToBytes(again), bytesAfter)).toBe(0);
  });

  it('with weights in another file are read from there and written beside the result', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'external-'));
    try {
      const path = join(folder, 'model.onnx');
      const externalData = { file: 'model.onnx.data', minimumBytes: 64 };
      await writeModel(transformer({ layers: 1, width: 64, heads: 4 }), path, { externalData });
      const feeds = { x: randomTensor([1, 5, 64], 3) };
      const before = await runModel(path, feeds, { graphOptimizationLevel: 'all' });
      const model = await readOnnx(path);
      await runPasses(model, normalize());
      expect([...model.graph.initializers].some(({ initializer }) => initializer?.storage.kind === 'external')).toBe(
        true,
      );
      applyScheme(model, dynamicScheme, dynamic, { nodes: (node) => node.name.includes('ffn1') });
      applyScheme(model, weightOnly(), weights, { nodes: (node) => node.is('MatMul') });
      const quantized = join(folder, 'quantized.onnx');
      await writeModel(model, quantized, { externalData: { ...externalData, file: 'quantized.onnx.data' } });
      expect(statSync(join(folder, 'quantized.onnx.data')).size).toBeLessThan(statSync(`${path}.data`).size * 0.32);
      const after = await runModel(quantized, feeds, { graphOptimizationLevel: 'all' });
      expect(signalToNoise(before as Outputs, after as Outputs)).toBeGreaterThan(35);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
