/** What is said of a data file that cannot be used. */
import { CdkOnnxError, ConfigurationError } from '../../errors.js';

/** Stable codes of everything that data may be refused for. */
export type DataErrorCode =
  | 'DATA_NOT_FOUND'
  | 'DATA_NOT_READABLE'
  | 'DATA_EMPTY'
  | 'DATA_TOO_LARGE'
  | 'DATA_FORMAT_UNKNOWN'
  | 'DATA_DAMAGED'
  | 'DATA_VARIANT_UNSUPPORTED'
  | 'DATA_INPUT_MISSING'
  | 'DATA_INPUT_TYPE'
  | 'DATA_INPUT_SHAPE'
  | 'DATA_ARRAY_UNKNOWN'
  | 'DATA_COUNTS_DIFFER'
  | 'DATA_LABEL_INVALID'
  | 'DATA_NEEDS_TASK'
  | 'DATA_ID_UNKNOWN'
  | 'DATA_NOT_DISJOINT'
  | 'DATA_SPLIT_INVALID';

export function dataError(code: DataErrorCode, message: string, advice: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError({ code, message, advice, ...(cause === undefined ? {} : { cause }) });
}

export function damaged(where: string, what: string, cause?: unknown): ConfigurationError {
  return dataError(
    'DATA_DAMAGED',
    `${where} cannot be read: ${what}.`,
    'Write the file again, or take it out of the folder.',
    cause,
  );
}

export function tooLarge(where: string, bytes: number, limit: number): ConfigurationError {
  return dataError(
    'DATA_TOO_LARGE',
    `${where} asks for ${bytes} bytes; at most ${limit} are read at once.`,
    'Make its samples smaller, or split the file.',
  );
}

/** Faults of one file, whatever layer found them, with the file's name and a code of ours. */
export function inFile(where: string, error: unknown): CdkOnnxError {
  if (error instanceof ConfigurationError) return error;
  if (error instanceof CdkOnnxError) {
    return new ConfigurationError({
      code: error.code,
      message: `${where}: ${error.message}`,
      advice: error.advice,
      cause: error,
    });
  }
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
  if (code === 'ENOENT') {
    return dataError('DATA_NOT_FOUND', `There is no ${where}.`, 'Check the path.', error);
  }
  if (code !== undefined && /^E[A-Z]+$/.test(code)) {
    return dataError('DATA_NOT_READABLE', `${where} cannot be read (${code}).`, 'Check its permissions.', error);
  }
  return damaged(where, error instanceof Error ? error.message : String(error), error);
}
