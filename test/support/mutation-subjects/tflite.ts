import { decodeTflite } from '../../../lib/compiler/formats/tflite/decode.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { validateStructure } from '../../../lib/compiler/ir/validation.js';
import { modelFromTflite } from '../../../lib/compiler/readers/tflite/convert.js';
import { CdkOnnxError } from '../../../lib/errors.js';
import type { MutationSubject } from '../mutation.js';
import { below, byteEdits, type Edit, pick } from '../mutation-edits.js';

/** Offsets, lengths, indices, sizes: all in whole words, among which a change by little leads to another part of the file. */
const word: Edit = (bytes, random) => {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (let count = 1 + below(random, 3); count > 0; count--) {
    const at = 4 * below(random, Math.floor(copy.length / 4));
    const before = view.getInt32(at, true);
    view.setInt32(at, before + pick(random, [-1, 1, -4, 4, 2, 8, -before, 2 ** 16, 1 - before, -1 - before]), true);
  }
  return copy;
};

/** Fields of one byte: types, enums, flags; in the tables, that is between words that are not all set. */
const small: Edit = (bytes, random) => {
  const copy = bytes.slice();
  for (let count = 0; count < 4; count++) {
    const at = below(random, copy.length);
    if ((copy[at] ?? 0) < 64) copy[at] = below(random, 32);
  }
  return copy;
};

export const subject: MutationSubject = {
  edits: { ...byteEdits, word, small },
  attempt(bytes) {
    try {
      const model = modelFromTflite(decodeTflite(bytes));
      validateStructure(model);
      modelToBytes(model);
      return 'valid';
    } catch (error) {
      if (error instanceof CdkOnnxError) return error.code;
      return `uncoded: ${error instanceof Error ? error.stack : String(error)}`;
    }
  },
};
