/** A model file against what a source computed of the recorded samples. */
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { largestRelativeDifference, toOrt } from '../../test/support/compare-outputs.js';
import type { ConversionFixture } from '../../test/support/conversion-fixture.js';
import { answersOneByOne } from './answers-one-by-one.js';

/** max|Δ| / max|y| over all samples, as users run it. @param source the output of the fixture */
export async function differenceFromSource(path: string, fixture: ConversionFixture, source: string): Promise<number> {
  const [samples] = Object.values(fixture.inputs);
  const expected = fixture.outputs[source];
  if (samples === undefined || expected === undefined) throw new Error(`nothing was recorded of ${source}`);
  const actual = Tensor.fromNumbers('float32', expected.dims, await answersOneByOne(path, samples, 'all'));
  return largestRelativeDifference({ y: toOrt(actual) }, { y: toOrt(expected) });
}
