/** A model file with one input and one output, against what a source computed of the samples, one by one. */
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { fromOrt, largestRelativeDifference, toOrt } from '../../test/support/compare-outputs.js';
import type { ConversionFixture } from '../../test/support/conversion-fixture.js';
import { openModel } from '../../test/support/run-model.js';

/** max|Δ| / max|y| over all samples. @param source the output of the fixture */
export async function differenceFromSource(path: string, fixture: ConversionFixture, source: string): Promise<number> {
  const [samples] = Object.values(fixture.inputs);
  const expected = fixture.outputs[source];
  if (samples === undefined || expected === undefined) throw new Error(`nothing was recorded of ${source}`);
  const session = await openModel(path, { graphOptimizationLevel: 'all' });
  try {
    const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
    const rows: number[] = [];
    const count = samples.dims[0] ?? 0;
    const pixels = samples.numbers();
    const size = pixels.length / count;
    for (let index = 0; index < count; index++) {
      const one = Tensor.fromNumbers(
        'float32',
        [1, ...samples.dims.slice(1)],
        pixels.slice(index * size, (index + 1) * size),
      );
      const results = await session.run({ [input]: toOrt(one) });
      const result = results[output];
      if (result !== undefined) rows.push(...fromOrt(result).numbers());
    }
    const actual = Tensor.fromNumbers('float32', expected.dims, rows);
    return largestRelativeDifference({ y: toOrt(actual) }, { y: toOrt(expected) });
  } finally {
    await session.release();
  }
}
