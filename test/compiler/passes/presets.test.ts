import { describe, expect, it } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { graphsOf } from '../../../lib/compiler/ir/traversal.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { lossless, normalize, recipes } from '../../../lib/compiler/passes/presets.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import unsupported from '../../fixtures/onnx-testdata/unsupported.json' with { type: 'json' };
import { compareInFrontOfSigmoid } from '../../support/compare-in-front-of-sigmoid.js';
import { difference, fromOrt, largestRelativeDifference } from '../../support/compare-outputs.js';
import { cpuMilliseconds } from '../../support/cpu-time.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { hasOnnxTestdata, type TestModel, testModels } from '../../support/onnx-testdata.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../support/real-models.js';
import { runModel } from '../../support/run-model.js';
import { errorText, runTestModel } from '../../support/run-test-model.js';

const REAL_MODELS = Object.keys(realModels) as RealModelName[];

describe('the default passes on real models', () => {
  it.each(REAL_MODELS)('%s computes the same to the bit when normalized', async (name) => {
    const model = await readOnnx(realModels[name]);
    await expectEquivalent(model, normalize(), realModelFeeds(name));
  });

  it.each(REAL_MODELS)('%s computes the same within 1e-5 after all of them', async (name) => {
    const model = await readOnnx(realModels[name]);
    if (name === 'ocrDetector') compareInFrontOfSigmoid(model);
    await expectEquivalent(
      model,
      [...normalize(), ...lossless(), ...recipes({ weights: 'fp32', stripNames: true })],
      realModelFeeds(name),
      { tolerance: 1e-5 },
    );
  });

  it.each(REAL_MODELS)('%s has nothing left to do the second time', async (name) => {
    const model = await readOnnx(realModels[name]);
    await runPasses(model, [...normalize(), ...lossless()]);
    const before = modelToBytes(model);
    const { modified } = await runPasses(model, [...normalize(), ...lossless()]);
    expect(modified).toEqual([]);
    expect(Buffer.compare(modelToBytes(model), before)).toBe(0);
  });

  it('silero v5 with its sample rate frozen shrinks by almost half, without loss', async () => {
    const model = await readOnnx(realModels.sileroV5);
    const [bytesBefore, nodesBefore] = [modelToBytes(model).byteLength, nodeCount(model)];
    const passes = normalize({ inputs: { sr: { value: 16_000 } } });
    await expectEquivalent(model, passes, realModelFeeds('sileroV5'), { removedInputs: ['sr'] });
    expect(modelToBytes(model).byteLength).toBeLessThan(0.55 * bytesBefore);
    expect(nodeCount(model)).toBeLessThan(0.2 * nodesBefore);
    expect(model.graph.inputs.map(({ name }) => name)).toEqual(['input', 'state']);
  });
});

function nodeCount(model: Parameters<typeof graphsOf>[0]): number {
  return graphsOf(model).reduce((count, graph) => count + graph.nodes.length, 0);
}

describe('the default passes on a large model', () => {
  it('take seconds for 10,000 nodes and 100 MB of weights', async () => {
    const b = new ModelBuilder(17);
    let x = b.input('x', [1, 2560]);
    for (let index = 0; index < 2500; index++) {
      const shape = b.add('Shape', [x]);
      const bias = b.constant(Tensor.fromTyped('float32', [10_240], new Float32Array(10_240).fill(index)));
      const part = b.add('Slice', [bias, b.int64([0]), b.int64([2560])]);
      x = b.add('Reshape', [b.add('Add', [b.add('Identity', [x]), part]), shape]);
    }
    const model = b.finish([x]);
    expect(await cpuMilliseconds(() => runPasses(model, [...normalize(), ...lossless()]))).toBeLessThan(30_000);
    expect(nodeCount(model)).toBeLessThan(10_000);
  });
});

describe('the default passes on random graphs', () => {
  it('keep what they compute to the bit when normalized', { timeout: 120_000 }, () =>
    expectEquivalentOnRandomGraphs(normalize(), { runs: 400, seed: 11, maximumOperations: 24 }),
  );

  it('keep what they compute within 1e-5', { timeout: 120_000 }, () =>
    expectEquivalentOnRandomGraphs([...normalize(), ...lossless(), ...recipes({ weights: 'fp32', stripNames: true })], {
      runs: 200,
      seed: 12,
      tolerance: 1e-5,
    }),
  );
});

describe('the default passes on the operator test models of ONNX', () => {
  if (!hasOnnxTestdata) {
    it.skipIf(process.env.CI !== 'true')('skipped: needs libonnx-testdata (apt-get install libonnx-testdata)', () => {
      expect.fail('needs libonnx-testdata');
    });
    return;
  }

  it('keep what every model computes that onnxruntime-node runs', { timeout: 120_000 }, async () => {
    const models = testModels();
    const faults: string[] = [];
    const refused: Record<string, string> = {};
    let [equal, rounded] = [0, 0];
    for (const testModel of models) {
      const outcome = await compare(testModel);
      if (outcome.kind === 'equal') equal++;
      else if (outcome.kind === 'rounded') rounded++;
      else if (outcome.kind === 'refused') refused[testModel.name] = outcome.reason;
      else if (outcome.kind === 'fault') faults.push(`${testModel.name}: ${outcome.reason}`);
    }
    expect(faults).toEqual([]);
    expect(withoutLocales(refused)).toEqual(withoutLocales(unsupported));
    expect(equal + rounded + Object.keys(refused).length).toBe(1072);
    expect(rounded).toBeLessThan(20);
  });
});

/** Whether a StringNormalizer opens depends on the locales that the machine has. */
function withoutLocales(errors: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(errors).filter(([, error]) => !error.includes('StringNormalizer')));
}

type Outcome =
  | { readonly kind: 'equal' | 'rounded' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'fault'; readonly reason: string };

async function compare(testModel: TestModel): Promise<Outcome> {
  let runs: Awaited<ReturnType<typeof runTestModel>>;
  try {
    runs = await runTestModel(testModel);
  } catch (error) {
    return { kind: 'refused', reason: errorText(error) };
  }
  try {
    const model = await readOnnx(testModel.path);
    await runPasses(model, [...normalize(), ...lossless()]);
    validate(model);
    const bytes = modelToBytes(model);
    let kind: 'equal' | 'rounded' = 'equal';
    for (const { feeds, outputs } of runs) {
      const actual = await runModel(bytes, feeds);
      const isEqual = Object.entries(outputs).every(([name, value]) => {
        const other = actual[name];
        return other !== undefined && difference(fromOrt(other), fromOrt(value)) === undefined;
      });
      if (isEqual) continue;
      kind = 'rounded';
      const found = largestRelativeDifference(actual, outputs);
      if (!(found <= 1e-5)) return { kind: 'fault', reason: `outputs differ by ${found}` };
    }
    return { kind };
  } catch (error) {
    return { kind: 'fault', reason: errorText(error) };
  }
}
