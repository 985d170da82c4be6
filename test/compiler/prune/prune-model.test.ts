import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DataSet, Feeds, Sample } from '../../../lib/compiler/data/data-set.js';
import { copyModel } from '../../../lib/compiler/ir/copy.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../../lib/compiler/passes/presets.js';
import { type PruneResult, pruneModel } from '../../../lib/compiler/prune/prune-model.js';
import { applyPlan } from '../../../lib/compiler/quantize/apply-plan.js';
import { EMPTY_PLAN } from '../../../lib/compiler/quantize/plan.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { signalToNoise } from '../../support/before-and-after.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';
import { randomFloats } from '../../support/random-numbers.js';
import { realModels } from '../../support/real-models.js';
import { runModel } from '../../support/run-model.js';
import { transformer } from '../../support/transformer.js';

const WIDTH = 32;

/** Sequences whose positions are mixtures of a few directions, as real activations are, and not noise in all of them. */
function sequence(seed: number): Tensor {
  const directions = randomFloats(6 * WIDTH, 99);
  const mixture = randomFloats(12 * 6, seed);
  const numbers = Float32Array.from({ length: 12 * WIDTH }, (_, index) => {
    const [row, column] = [Math.floor(index / WIDTH), index % WIDTH];
    let sum = 0;
    for (let part = 0; part < 6; part++)
      sum += (mixture[row * 6 + part] ?? 0) * (directions[part * WIDTH + column] ?? 0);
    return sum;
  });
  return Tensor.fromTyped('float32', [1, 12, WIDTH], numbers);
}

function dataSet(count: number, feeds: (index: number) => Feeds): DataSet {
  const ids = Array.from({ length: count }, (_, index) => String(index));
  return {
    ids,
    digest: 'made for this test',
    isSynthetic: true,
    carried: {},
    async *read(wanted = ids): AsyncIterable<Sample> {
      for (const id of wanted) yield { id, steps: [feeds(Number(id))] };
    },
  };
}

const sequences = dataSet(24, (index) => {
  const { dims, storage } = sequence(index);
  if (storage.kind !== 'bytes') throw new TypeError('made of bytes');
  return { x: { dataType: 'float32', dims, data: sequence(index).typed() } };
});

async function normalized(model: Model): Promise<Model> {
  await runPasses(model, [...normalize(), ...lossless()]);
  return model;
}

/** Decibels at the outputs, on inputs that nothing was fitted on. */
async function fidelity(original: Model, pruned: Model): Promise<number> {
  const [before, after] = [modelToBytes(original), modelToBytes(pruned)];
  const feeds = toOrtFeeds({ x: sequence(1000) });
  const [a, b] = [await runModel(before, feeds), await runModel(after, feeds)];
  return signalToNoise(a as never, b as never);
}

let original: Model;

beforeAll(async () => {
  original = await normalized(transformer({ layers: 2, width: WIDTH, heads: 4 }));
});

describe('structured pruning', () => {
  let recovered: PruneResult;
  const bytes = () => modelToBytes(original);

  it('takes heads and widths out, and fits what stays to what the original computes', { timeout: 60_000 }, async () => {
    const before = bytes();
    const options = { method: 'structured', ratio: 0.6, data: sequences, objective: 'size', runs: 12 } as const;
    const plain = await pruneModel(original, { ...options, recover: false });
    recovered = await pruneModel(original, options);
    expect(Buffer.compare(bytes(), before)).toBe(0);
    expect(recovered.report.ratio).toBeGreaterThan(0.55);
    expect(recovered.report.numbers.after).toBeLessThan(0.5 * recovered.report.numbers.before);
    expect(new Set(recovered.removed.map(({ kind }) => kind))).toEqual(new Set(['features', 'heads']));
    for (const { errorBefore, errorAfter } of recovered.report.recovery.recovered) {
      expect(errorAfter).toBeLessThanOrEqual(errorBefore);
    }
    expect(await fidelity(original, recovered.model)).toBeGreaterThan((await fidelity(original, plain.model)) + 6);
  });

  it('gives a plan that makes the same model of the untouched one', () => {
    const copy = copyModel(original);
    applyPlan(copy, { ...EMPTY_PLAN, weights: recovered.weights });
    validate(copy);
    const weights = (model: Model) =>
      model.graph.nodes.map((node) => [
        node.opType,
        node.int('group', 1),
        ...node.inputs.map((value) => value?.initializer && Buffer.from(value.initializer.bytes()).toString('hex')),
      ]);
    expect(weights(copy)).toEqual(weights(recovered.model));
  });

  it('gives the same weights each time, and leaves no files behind', { timeout: 60_000 }, async () => {
    const again = await pruneModel(original, {
      ...{ method: 'structured', ratio: 0.6, data: sequences, objective: 'size', runs: 12 },
    });
    expect([...again.weights.keys()]).toEqual([...recovered.weights.keys()]);
    for (const [name, tensor] of again.weights) expect(tensor.typed()).toEqual(recovered.weights.get(name)?.typed());
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`cdk-onnx-prune-${process.pid}-`))).toEqual([]);
  });

  it('says what stays whole, and why', () => {
    const reasons = recovered.report.kept.map(({ reason }) => reason);
    expect(reasons).toContainEqual(expect.stringContaining("combines it with 'x', which cannot be pruned"));
  });

  it('finds the largest ratio that is accepted', { timeout: 60_000 }, async () => {
    const tried: number[] = [];
    const found = await pruneModel(original, {
      method: 'structured',
      recover: false,
      accept: async (model, ratio) => {
        tried.push(ratio);
        validate(model);
        return ratio <= 0.3;
      },
    });
    expect(tried.length).toBeLessThanOrEqual(5);
    expect(found.report.ratio).toBeGreaterThan(0.25);
    expect(found.report.ratio).toBeLessThan(0.45);
    const none = await pruneModel(original, { method: 'structured', recover: false, accept: async () => false });
    expect(none.weights.size).toBe(0);
  });

  it('fails for a ratio that is none, and stops when it is told to', async () => {
    await expect(pruneModel(original, { method: 'structured' })).rejects.toMatchObject({ code: 'PRUNE_RATIO' });
    await expect(pruneModel(original, { method: 'structured', ratio: 1.5 })).rejects.toMatchObject({
      code: 'PRUNE_RATIO',
    });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(pruneModel(original, { method: 'structured', ratio: 0.3, data: sequences, signal })).rejects.toThrow(
      'enough',
    );
  });
});

describe('a face detector', () => {
  it('is valid and much smaller with a third of its multiplications gone', { timeout: 60_000 }, async () => {
    const model = await normalized(await readOnnx(realModels.blazefaceFront));
    const { model: pruned, report } = await pruneModel(model, { method: 'structured', ratio: 0.33 });
    validate(pruned);
    expect(report.multiplications?.after).toBeLessThan(0.67 * (report.multiplications?.before ?? 0));
    const x = Tensor.fromTyped('float32', [1, 128, 128, 3], randomFloats(128 * 128 * 3));
    const [input] = pruned.graph.inputs;
    const outputs = await runModel(modelToBytes(pruned), toOrtFeeds({ [input?.name ?? '']: x }));
    expect(Object.values(outputs).map((value) => 'dims' in value && value.dims)).toEqual(
      model.graph.outputs.map((value) => value.staticShape),
    );
  });
});

describe('pruning of single weights', () => {
  it('sets the share of weights to zero that was asked for, and says what that saves: nothing but in a compressed file', async () => {
    const { weights, report, removed } = await pruneModel(original, { method: 'magnitude', ratio: 0.8 });
    expect(removed).toEqual([]);
    expect(report.numbers.after).toBe(report.numbers.before);
    expect(report.ratio).toBeGreaterThan(0.78);
    expect(report.ratio).toBeLessThan(0.82);
    const { compressed } = report.sparsity ?? {};
    expect(compressed?.after).toBeLessThan(0.5 * (compressed?.before ?? 0));
    const copy = copyModel(original);
    applyPlan(copy, { ...EMPTY_PLAN, weights });
    expect(modelToBytes(copy).length).toBeGreaterThan(0.95 * modelToBytes(original).length);
  });

  it('keeps n of every m weights that are summed up, the greatest', async () => {
    const { weights } = await pruneModel(original, { method: 'n:m', pattern: { n: 2, m: 4 } });
    const matrix = weights.get('layer0.ffn1.w');
    const before = [...original.graph.initializers]
      .find(({ name }) => name === 'layer0.ffn1.w')
      ?.initializer?.numbers();
    const [rows = 0, columns = 0] = matrix?.dims ?? [];
    for (let column = 0; column < columns; column++) {
      for (let start = 0; start < rows; start += 4) {
        const at = [0, 1, 2, 3].map((index) => (start + index) * columns + column);
        const kept = at.filter((index) => matrix?.numbers()[index] !== 0);
        expect(kept.length).toBe(2);
        const magnitudes = at.map((index) => Math.abs(before?.[index] ?? 0)).sort((a, b) => b - a);
        expect(Math.min(...kept.map((index) => Math.abs(before?.[index] ?? 0)))).toBe(magnitudes[1]);
        if (column > 8) return;
      }
    }
  });

  it('fails for a pattern that keeps everything', async () => {
    await expect(pruneModel(original, { method: 'n:m', pattern: { n: 4, m: 4 } })).rejects.toMatchObject({
      code: 'PRUNE_PATTERN',
    });
  });
});
