import { CdkOnnxError } from '../../lib/errors.js';

/** The error of ours that `act` throws or rejects with; anything else that happens fails the test. */
export async function refusalOf(act: () => unknown): Promise<CdkOnnxError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof CdkOnnxError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
