/** How far stored numbers of quantized outputs are from those that a source's kernels computed, in steps. */
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { fromOrt, toOrtFeeds } from './compare-outputs.js';
import type { ConversionFixture } from './conversion-fixture.js';
import { type RunOptions, runModel } from './run-model.js';

export interface Steps {
  readonly output: string;
  /** Infinity where types or shapes differ. */
  readonly largest: number;
  readonly mean: number;
}

/** By output, in the fixture's order. */
export async function stepsFromSource(
  model: Model,
  fixture: ConversionFixture,
  options: RunOptions = {},
): Promise<Steps[]> {
  const outputs = await runModel(modelToBytes(model), toOrtFeeds(fixture.inputs), options);
  return Object.entries(fixture.outputs).map(([output, expected]) => {
    const value = outputs[output];
    const actual = value === undefined ? undefined : fromOrt(value as OrtTensor);
    if (actual?.elementType !== expected.elementType || String(actual.dims) !== String(expected.dims)) {
      return { output, largest: Number.POSITIVE_INFINITY, mean: Number.POSITIVE_INFINITY };
    }
    const [a, b] = [actual.numbers(), expected.numbers()];
    const steps = a.map((number, index) => Math.abs(number - (b[index] ?? Number.NaN)));
    const sum = steps.reduce((total, each) => total + each, 0);
    return { output, largest: steps.reduce((most, each) => Math.max(most, each), 0), mean: sum / steps.length };
  });
}
