/** Quantized models, in steps from what the interpreter's reference kernels store: test/fixtures/conversion/tflite/make_quantized.py. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findProblems } from '../../../../lib/compiler/ir/validation.js';
import { readTflite } from '../../../../lib/compiler/readers/tflite/read.js';
import { readConversionFixture } from '../../../support/conversion-fixture.js';
import { stepsFromSource } from '../../../support/quantized-steps.js';

const fixture = (name: string) => join(import.meta.dirname, '../../../fixtures/conversion/tflite', name);
const single = ['quantized-16x8', 'quantized-bytes', 'quantized-calculated', 'quantized-others', 'quantized-weighted'];

describe.each(['disabled', 'all'] as const)('with optimizations of the session %s', (graphOptimizationLevel) => {
  it.each(single)('%s is within one step', async (name) => {
    const model = await readTflite(fixture(`${name}.tflite`));
    expect(findProblems(model)).toEqual([]);
    const steps = await stepsFromSource(model, await readConversionFixture(fixture(name)), { graphOptimizationLevel });
    expect(steps.filter(({ largest }) => largest > 1)).toEqual([]);
  });

  it('what moves elements keeps every bit', async () => {
    const model = await readTflite(fixture('quantized-moved.tflite'));
    const steps = await stepsFromSource(model, await readConversionFixture(fixture('quantized-moved')), {
      graphOptimizationLevel,
    });
    expect(steps.filter(({ largest }) => largest > 0)).toEqual([]);
  });

  it('what lies half-way between two steps is decided as the reference kernels do', async () => {
    const model = await readTflite(fixture('quantized-halves.tflite'));
    const steps = await stepsFromSource(model, await readConversionFixture(fixture('quantized-halves')), {
      graphOptimizationLevel,
    });
    const mean = Object.fromEntries(steps.map((each) => [each.output, each.mean]));
    expect(mean.scaled).toBe(0);
    // The kernel decides some one way and some the other.
    expect(mean.difference).toBeLessThan(0.1);
    // Sums of products are lifted a little more or less than its sums.
    expect(mean.conv_relu).toBeLessThan(0.001);
  });

  it('a net is within three steps and 0.3 on average', async () => {
    const model = await readTflite(fixture('quantized-net.tflite'));
    const steps = await stepsFromSource(model, await readConversionFixture(fixture('quantized-net')), {
      graphOptimizationLevel,
    });
    expect(steps.filter(({ largest, mean }) => largest > 3 || mean > 0.3)).toEqual([]);
  });
});
