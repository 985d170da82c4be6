/** TensorFlow Lite files. */
import { constants } from 'node:buffer';
import { readWholeFile } from '../../formats/file.js';
import { decodeTflite } from '../../formats/tflite/decode.js';
import type { Model } from '../../ir/model.js';
import { modelFromTflite } from './convert.js';

/**
 * Reads a TensorFlow Lite file; weights are views on its bytes where their order is ONNX's.
 * @throws ModelFormatError for bytes that are no such file (see `decodeTflite`), ReaderError for what cannot be converted (see
 * `modelFromTflite`)
 */
export async function readTflite(path: string): Promise<Model> {
  return modelFromTflite(decodeTflite(await readWholeFile(path, constants.MAX_LENGTH)));
}
