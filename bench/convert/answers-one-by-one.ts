/** What a model file with one input and one output answers to samples, each in a run of its own: some files take one at a time. */
import type { InferenceSession } from 'onnxruntime-node';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { fromOrt, toOrt } from '../../test/support/compare-outputs.js';
import { openModel } from '../../test/support/run-model.js';

/** @param samples [n, …] of float32 or int8. @returns the elements of all answers, one after the other */
export async function answersOneByOne(
  path: string,
  samples: Tensor,
  graphOptimizationLevel: NonNullable<InferenceSession.SessionOptions['graphOptimizationLevel']>,
): Promise<number[]> {
  const session = await openModel(path, { graphOptimizationLevel });
  try {
    const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
    const [count = 0, ...dims] = samples.dims;
    const numbers = samples.numbers();
    const size = numbers.length / count;
    const answers: number[] = [];
    for (let index = 0; index < count; index++) {
      const one = numbers.slice(index * size, (index + 1) * size);
      const results = await session.run({ [input]: toOrt(Tensor.fromNumbers(samples.elementType, [1, ...dims], one)) });
      const answer = results[output];
      if (answer === undefined) throw new Error(`${path} has no output`);
      answers.push(...fromOrt(answer).numbers());
    }
    return answers;
  } finally {
    await session.release();
  }
}
