import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../lib/compiler/passes/presets.js';
import { storeFloat16 } from '../../../lib/compiler/passes/store-float16.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { beforeAndAfter, signalToNoise } from '../../support/before-and-after.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../support/real-models.js';

/** 64 · 64 float32: 16 KiB. */
const weights = (b: ModelBuilder, seed = 1, scale = 1) =>
  b.constant(Tensor.fromNumbers('float32', [64, 64], randomFloats(64 * 64, seed, -scale, scale)), `weights_${seed}`);

const casts = (model: { graph: { nodes: readonly { opType: string }[] } }) =>
  model.graph.nodes.filter((node) => node.opType === 'Cast').length;

describe('weights in half precision', () => {
  it('are stored once, with one Cast, however many nodes and subgraphs read them', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [2, 64]);
    const shared = weights(b);
    const branch = (name: string, opType: string) => {
      const inner = new ModelBuilder(18, name);
      return attribute.graph(inner.finishGraph(inner.add(opType, [x, shared], { outputs: [`${name}_output`] })));
    };
    const condition = b.add('Greater', [
      b.add('ReduceMax', [x], { attributes: { keepdims: attribute.int(0) } }),
      b.scalar(0),
    ]);
    const attributes = { then_branch: branch('then', 'MatMul'), else_branch: branch('else', 'MatMul') };
    const chosen = b.add('If', [condition], { attributes });
    const model = b.finish([b.add('Add', [chosen, b.add('MatMul', [b.add('MatMul', [x, shared]), shared])])]);
    const { before, after, bytesBefore, bytesAfter } = await beforeAndAfter(model, [storeFloat16()], {
      x: randomTensor([2, 64]),
    });
    expect(casts(model)).toBe(1);
    expect([...nodesOf(model)].filter((node) => node.opType === 'Cast').length).toBe(1);
    expect(model.graph.nodes[0]?.outputs[0]?.name).toBe('weights_1');
    expect(bytesAfter.byteLength / bytesBefore.byteLength).toBeLessThan(0.6);
    expect(signalToNoise(before, after)).toBeGreaterThan(60);
  });

  it('are restored when onnxruntime loads the model, not when it runs', async () => {
    const b = new ModelBuilder(18);
    const model = b.finish([b.add('MatMul', [b.input('x', [2, 64]), weights(b)])]);
    await storeFloat16().run(model);
    const folder = mkdtempSync(join(tmpdir(), 'float16-'));
    try {
      const optimizedModelFilePath = join(folder, 'optimized.onnx');
      const options = { graphOptimizationLevel: 'basic', optimizedModelFilePath, logSeverityLevel: 4 } as const;
      await (await InferenceSession.create(modelToBytes(model), options)).release();
      const optimized = await readOnnx(optimizedModelFilePath);
      expect(optimized.graph.nodes.map((node) => node.opType)).toEqual(['MatMul']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('stay where a subgraph keeps its own', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [2, 64]);
    const branch = (name: string, seed: number) => {
      const inner = new ModelBuilder(18, name);
      return attribute.graph(
        inner.finishGraph(inner.add('MatMul', [x, weights(inner, seed)], { outputs: [`${name}_y`] })),
      );
    };
    const condition = b.add('Greater', [
      b.add('ReduceMax', [x], { attributes: { keepdims: attribute.int(0) } }),
      b.scalar(0),
    ]);
    const attributes = { then_branch: branch('then', 1), else_branch: branch('else', 2) };
    const model = b.finish([b.add('If', [condition], { attributes })]);
    const { before, after } = await beforeAndAfter(model, [storeFloat16()], { x: randomTensor([2, 64]) });
    expect([...nodesOf(model)].filter((node) => node.opType === 'Cast').length).toBe(2);
    expect(signalToNoise(before, after)).toBeGreaterThan(60);
  });
});

describe('stay in single precision', () => {
  async function declined(build: (b: ModelBuilder, x: Value) => Value[], modified = false) {
    const b = new ModelBuilder(18);
    const model = b.finish(build(b, b.input('x', [2, 64])));
    const result = await storeFloat16().run(model);
    expect(result.modified).toBe(modified);
    expect(casts(model)).toBe(0);
    return result.declined?.join() ?? '';
  }

  it('beyond 65,504, at infinity, not a number', async () => {
    for (const value of [65_505, Number.POSITIVE_INFINITY, Number.NaN]) {
      const why = await declined((b, x) => {
        const numbers = randomFloats(64 * 64);
        numbers[7] = value;
        return [b.add('MatMul', [x, b.floats(numbers, [64, 64])])];
      });
      expect(why).toContain(`it holds ${value}, and float16 ends at 65504`);
    }
  });

  it('where most of it is too small for half precision', async () => {
    expect(await declined((b, x) => [b.add('MatMul', [x, weights(b, 1, 1e-6)])])).toContain('of its norm');
  });

  it('when a caller may override them, or they are an output', async () => {
    const overridable = await declined((b, x) => {
      const matrix = weights(b);
      b.graph.setInputs([x, matrix]);
      return [b.add('MatMul', [x, matrix])];
    });
    expect(overridable).toContain('callers may pass another');
    const output = await declined((b, x) => {
      const matrix = weights(b);
      return [b.add('MatMul', [x, matrix]), matrix];
    });
    expect(output).toContain('output of a graph');
  });

  it('under the smallest size, in other types, and where an operator needs them as they are', async () => {
    await declined((b, x) => [b.add('Add', [x, b.floats(randomFloats(64), [64])])]);
    await declined((b) => [
      b.add('Gather', [b.int64(Array.from({ length: 1024 }, (_, index) => index)), b.int64([3])]),
    ]);
    const why = await declined((b) => {
      const inputs = [b.input('wide', [1, 512]), b.floats(randomFloats(512, 1, 0.01, 0.02))];
      const zeroPoints = b.constant(Tensor.fromNumbers('uint8', [512], new Uint8Array(512)));
      return [typed(b.add('QuantizeLinear', [...inputs, zeroPoints]), 'uint8')];
    });
    expect(why).toContain('needs it as it is');
  });
});

describe.each(Object.keys(realModels) as RealModelName[])('%s', (name) => {
  it('keeps at least 45 dB in about half the bytes', async () => {
    const model = await readOnnx(realModels[name]);
    await runPasses(model, [...normalize(), ...lossless()]);
    const { before, after, bytesBefore, bytesAfter } = await beforeAndAfter(
      model,
      [storeFloat16()],
      realModelFeeds(name),
      {
        graphOptimizationLevel: 'basic',
      },
    );
    expect(signalToNoise(before, after)).toBeGreaterThan(45);
    expect(bytesAfter.byteLength / bytesBefore.byteLength).toBeLessThan(0.62);
  });
});
