import { ModelFormatError } from '../../../errors.js';

/** The bytes contradict the format. @param at offset in the file */
export function damaged(what: string, at?: number): ModelFormatError {
  return new ModelFormatError({
    code: 'HDF5_DAMAGED',
    message: `Not a valid HDF5 file: ${what}${at === undefined ? '' : ` (byte ${at})`}.`,
    advice: 'The file is incomplete or damaged. Download it again, or save the model again.',
  });
}

/** The format has it, and Keras does not write it. */
export function unsupported(what: string, at?: number): ModelFormatError {
  return new ModelFormatError({
    code: 'HDF5_UNSUPPORTED',
    message: `The HDF5 file uses ${what}${at === undefined ? '' : ` (byte ${at})`}, which Keras does not write and this version does not read.`,
    advice: 'Load the model with Keras and save it again; or copy the file with h5py, whose defaults are read.',
  });
}
