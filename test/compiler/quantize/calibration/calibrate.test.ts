import { describe, expect, it } from 'vitest';
import type { Feeds } from '../../../../lib/compiler/data/data-set.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { type CalibrateOptions, calibrate } from '../../../../lib/compiler/quantize/calibration/calibrate.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { dataSet, floats, floatValues, prepared } from '../../../support/calibration-data.js';
import { leastOf } from '../../../support/least-of.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomFloats } from '../../../support/random-numbers.js';
import { refusalOf } from '../../../support/refusal.js';

/** x [N, 4] → y = x · 2 - 1 → z = relu(y). */
function smallModel(): Model {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', ['N', 4]);
  const y = builder.add(
    'Sub',
    [builder.add('Mul', [x, builder.scalar(2)], { outputs: ['doubled'] }), builder.scalar(1)],
    {
      outputs: ['y'],
    },
  );
  return builder.finish([builder.add('Relu', [y], { outputs: ['z'] })]);
}

async function calibrated(
  model: Model,
  samples: readonly (readonly Feeds[])[],
  options: Partial<CalibrateOptions> = {},
) {
  await inferTypes(model);
  return calibrate(model, dataSet(samples), { values: ['x', 'doubled', 'y', 'z'], ...options });
}

describe('calibrate', () => {
  it('sees inputs, inner values and outputs over all samples, and leaves the model as it is', async () => {
    const model = smallModel();
    await inferTypes(model);
    const before = modelToBytes(model);
    const calibration = await calibrated(model, [
      [{ x: floats([1, 4], [0, 1, 2, 3]) }],
      [{ x: floats([2, 4], [-5, 0, 0, 0, 0, 0, 0, 7]) }],
    ]);
    const range = (name: string) => calibration.range(name, { kind: 'min-max' });
    expect([range('x'), range('doubled'), range('y'), range('z')]).toEqual([
      { min: -5, max: 7 },
      { min: -10, max: 14 },
      { min: -11, max: 13 },
      { min: 0, max: 13 },
    ]);
    expect(calibration.statistics.get('x')).toMatchObject({ observed: 12, zeros: 7, notFinite: 0 });
    expect(modelToBytes(model)).toEqual(before);
  });

  it('reads chosen samples only, reports progress, and ends when it is told to', async () => {
    const samples = [1, 2, 3].map((value) => [{ x: floats([1, 4], [value, value, value, value]) }]);
    const progress: [number, number][] = [];
    const calibration = await calibrated(smallModel(), samples, {
      ids: ['0', '1'],
      onProgress: (done, of) => progress.push([done, of]),
    });
    expect(calibration.range('x', { kind: 'min-max' })).toEqual({ min: 1, max: 2 });
    expect(progress).toEqual([
      [1, 2],
      [2, 2],
    ]);
    const abort = new AbortController();
    const stopped = calibrated(smallModel(), samples, { signal: abort.signal, onProgress: () => abort.abort() });
    await expect(stopped).rejects.toThrow(/abort/i);
  });

  it('refuses by name what it cannot see', async () => {
    const builder = new ModelBuilder(17);
    const x = builder.input('x', ['N', 4]);
    const condition = builder.input('condition', [], 'bool');
    const branch = (name: string, factor: number) => {
      const inner = new ModelBuilder(17, name);
      return inner.finishGraph(inner.add('Mul', [x, inner.scalar(factor)], { outputs: [`${name}_inner`] }));
    };
    const chosen = builder.add('If', [condition], {
      outputs: ['chosen'],
      attributes: {
        then_branch: { kind: 'graph', value: branch('then', 2) },
        else_branch: { kind: 'graph', value: branch('else', 3) },
      },
    });
    const infinite = builder.add('Log', [builder.add('Relu', [x])], { outputs: ['infinite'] });
    const model = builder.finish([builder.add('Add', [chosen, infinite], { outputs: ['sum'] })]);
    await inferTypes(model);
    const samples = dataSet([
      [{ x: floats([1, 4], [-1, 1, 2, 3]), condition: { dataType: 'bool', dims: [], data: Uint8Array.of(1) } }],
    ]);
    const constant = [...model.graph.initializers][0]?.name ?? 'none';
    const values = ['x', 'condition', 'then_inner', 'nothing', 'infinite', 'chosen', constant];
    const calibration = await calibrate(model, samples, { values });
    const reasons = Object.fromEntries(calibration.refused.map(({ value, reason }) => [value, reason]));
    expect(reasons).toMatchObject({
      condition: expect.stringContaining('bool'),
      then_inner: expect.stringContaining('subgraph'),
      nothing: expect.stringContaining('no such value'),
      infinite: expect.stringContaining('infinite'),
    });
    expect(calibration.range('chosen', { kind: 'min-max' })).toEqual({ min: -2, max: 6 });
  });

  it('takes tensors without elements for what they are', async () => {
    const model = smallModel();
    const calibration = await calibrated(model, [[{ x: floats([0, 4], []) }]]);
    expect(calibration.refused.map(({ value }) => value)).toEqual(['x', 'doubled', 'y', 'z']);
    const more = await calibrated(model, [[{ x: floats([0, 4], []) }], [{ x: floats([1, 4], [1, 1, 1, 2]) }]]);
    expect(more.range('x', { kind: 'min-max' })).toEqual({ min: 1, max: 2 });
  });

  it('carries the state of a sequence from step to step, and starts anew with each sample', async () => {
    const builder = new ModelBuilder(17);
    const x = builder.input('x', [1]);
    const state = builder.input('state', [1]);
    const next = builder.add('Add', [x, state], { outputs: ['next'] });
    const model = builder.finish([next]);
    await inferTypes(model);
    const steps = [1, 2, 3].map((value) => ({ x: floats([1], [value]), state: floats([1], [0]) }));
    const options = { values: ['state', 'next'] };
    const calibration = await calibrate(model, dataSet([steps, steps], { state: 'next' }), options);
    expect(calibration.range('next', { kind: 'min-max' })).toEqual({ min: 1, max: 6 });
    expect(calibration.range('state', { kind: 'min-max' })).toEqual({ min: 0, max: 3 });
  });

  it('says so where there is nothing to read', async () => {
    expect((await refusalOf(() => calibrated(smallModel(), []))).code).toBe('CALIBRATION_EMPTY');
    const old = new ModelBuilder(9);
    const model = old.finish([old.add('Relu', [old.input('x', [1])])]);
    const refusal = await refusalOf(() => calibrated(model, [[{ x: floats([1], [0]) }]]));
    expect(refusal.code).toBe('CALIBRATION_OPSET');
  });
});

describe('memory', () => {
  const dims = [1, 3, 640, 640];
  const page = () => floats(dims, new Float32Array(dims.reduce((product, dim) => product * dim, 1)).fill(0.5));

  it('stays by that of plain inference, where all intermediates together would take 900 MB', async () => {
    const model = await prepared('ocrDetector');
    const values = floatValues(model);
    const calibration = await calibrate(model, dataSet([[{ x: page() }], [{ x: page() }]]), { values, threads: 1 });
    expect(calibration.refused).toEqual([]);
    expect(calibration.peakBytes / 1e6).toBeLessThan(400);
  });

  it('is the same with 10 and with 1,000 samples', async () => {
    const model = smallModel();
    await inferTypes(model);
    // A quarter of a megabyte, so that a thousand of them would be seen.
    const x = floats([16_384, 4], randomFloats(65_536));
    const peak = async (count: number) => {
      const samples = Array.from({ length: count }, () => [{ x }]);
      const options = { values: ['x', 'doubled', 'y', 'z'], threads: 1 };
      return (await calibrate(model, dataSet(samples), options)).peakBytes / 1e6;
    };
    const few = await leastOf(() => peak(10));
    // All samples together are 262 MB.
    const isAlike = (many: number) => many - few < 100;
    expect(await leastOf(() => peak(1000), isAlike)).toSatisfy(isAlike);
  });
});
