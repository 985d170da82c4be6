/** Where in the source something was found: what lowering says of values, readers say of layers and operators. */
import { LoweringError } from '../lowering/lowering-error.js';
import { ReaderError } from './reader-error.js';

/**
 * Runs the lowering of one layer or operator.
 * @param place as in messages: "Conv2D 'encoder/conv_1'"
 * @throws ReaderError with the code and the advice of a LoweringError, and the place in front of its message; other errors as they are
 */
export function atPlace<Result>(place: string, lower: () => Result): Result {
  try {
    return lower();
  } catch (error) {
    if (!(error instanceof LoweringError)) throw error;
    const { code, advice } = error;
    throw new ReaderError({ code, message: `${place}: ${error.message}`, advice, cause: error });
  }
}
