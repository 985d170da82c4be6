/** TensorFlow Lite files. */
import { constants } from 'node:buffer';
import { readWholeFile } from '../formats/file.js';
import { decodeTflite, TFLITE_IDENTIFIER } from '../formats/tflite/decode.js';
import type { Model } from '../ir/model.js';
import type { Reader } from './reader.js';
import { modelFromTflite } from './tflite/convert.js';

/**
 * Reads a TensorFlow Lite file; weights are views on its bytes where their order is ONNX's.
 * @throws ModelFormatError for bytes that are no such file (see `decodeTflite`), ReaderError for what cannot be converted (see
 * `modelFromTflite`)
 */
export async function readTflite(path: string): Promise<Model> {
  return modelFromTflite(decodeTflite(await readWholeFile(path, constants.MAX_LENGTH)));
}

export const tfliteReader: Reader = {
  name: 'TensorFlow Lite',
  match: ({ head }) => Buffer.from(head.subarray(4, 8)).toString('latin1') === TFLITE_IDENTIFIER,
  read: readTflite,
};
