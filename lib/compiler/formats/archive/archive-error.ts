/** What is said of an archive that cannot be unpacked. */
import { ModelFormatError } from '../../../errors.js';

export type ArchiveErrorCode =
  | 'ARCHIVE_DAMAGED'
  /** A name that leads elsewhere, a link, a device. */
  | 'ARCHIVE_UNSAFE'
  | 'ARCHIVE_TOO_LARGE'
  /** Encrypted, or packed in a way that is not known. */
  | 'ARCHIVE_VARIANT';

const ADVICE: Readonly<Record<ArchiveErrorCode, string>> = {
  ARCHIVE_DAMAGED: 'Download the archive again, or unpack it yourself and name the model in it.',
  ARCHIVE_UNSAFE: 'No archive of a model needs that: take it from a source that you trust, or pack the model anew.',
  ARCHIVE_TOO_LARGE: 'Unpack it yourself if you trust it, and name the model in it.',
  ARCHIVE_VARIANT: 'Unpack it yourself and name the model in it.',
};

export function archiveError(code: ArchiveErrorCode, message: string, cause?: unknown): ModelFormatError {
  return new ModelFormatError({ code, message, advice: ADVICE[code], ...(cause === undefined ? {} : { cause }) });
}
