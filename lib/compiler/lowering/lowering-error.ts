import { CdkOnnxError } from '../../errors.js';

/** A layer or an operator of the source cannot be written as ONNX, or says what cannot be. */
export class LoweringError extends CdkOnnxError {}

/** For operators of any number of values. @throws LoweringError INPUT_MISSING where there is none */
export function firstOf<Item>(values: readonly Item[], operator: string): Item {
  const [first] = values;
  if (first !== undefined) return first;
  throw new LoweringError({
    code: 'INPUT_MISSING',
    message: `A ${operator} has no input.`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}
