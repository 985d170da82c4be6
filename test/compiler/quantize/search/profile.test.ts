import { expect, test } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { EMPTY_PLAN } from '../../../../lib/compiler/quantize/plan.js';
import { profilePlan } from '../../../../lib/compiler/quantize/search/profile.js';
import { unitsOf } from '../../../../lib/compiler/quantize/search/units.js';
import { inferTypes } from '../../../../lib/compiler/runtime/infer-types.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomFloats } from '../../../support/random-numbers.js';

test('every convolution takes time, also in the layout that onnxruntime moves it to and with its clamp', async () => {
  const builder = new ModelBuilder(17);
  const weight = (outs: number, ins: number, seed: number) =>
    builder.constant(Tensor.fromTyped('float32', [outs, ins, 3, 3], randomFloats(outs * ins * 9, seed)), `w${seed}`);
  const padded = { attributes: { pads: attribute.ints([1, 1, 1, 1]) } };
  const x = builder.input('x', [1, 16, 24, 24]);
  const first = builder.add('Conv', [x, weight(32, 16, 1)], { ...padded, outputs: ['first'] });
  const clipped = builder.add('Clip', [first, builder.scalar(0), builder.scalar(6)], { outputs: ['clipped'] });
  const second = builder.add('Conv', [clipped, weight(32, 32, 2)], { ...padded, outputs: ['second'] });
  const model = builder.finish([builder.add('Add', [second, clipped], { outputs: ['sum'] })]);
  await inferTypes(model);
  const units = unitsOf(model);
  const { run, total } = await profilePlan(EMPTY_PLAN, {
    model,
    units,
    feeds: { x: { dataType: 'float32', dims: [1, 16, 24, 24], data: randomFloats(16 * 576, 3) } },
    settings: { graphOptimizationLevel: 'all' },
    signal: new AbortController().signal,
  });
  expect(units.map(({ keys }) => keys[0]?.output)).toEqual(['first', 'second', 'sum']);
  // The sum may be computed with the convolution in front of it, whose time is its time then.
  const times = units.map(({ index }) => run.get(index) ?? 0);
  expect(times[0]).toBeGreaterThan(0);
  expect((times[1] ?? 0) + (times[2] ?? 0)).toBeGreaterThan(0);
  expect(times.reduce((sum, time) => sum + time, 0)).toBeGreaterThan(total / 3);
});
