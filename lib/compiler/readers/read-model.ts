/** Any model file in, the IR out: the one table of source formats. */
import { ModelFormatError } from '../../errors.js';
import { notAFile } from '../formats/file.js';
import type { Model } from '../ir/model.js';
import { kerasReader } from './keras.js';
import { kerasHdf5Reader } from './keras-h5.js';
import { onnxReader } from './onnx.js';
import type { Reader } from './reader.js';
import { refusedFormats } from './refused-formats.js';
import { openSource } from './source.js';
import { tfliteReader } from './tflite.js';

/** The first that matches reads. */
export const readers: readonly Reader[] = [onnxReader, kerasReader, kerasHdf5Reader, tfliteReader];

/**
 * @throws ModelFormatError MODEL_NOT_FOUND, MODEL_NOT_READABLE, MODEL_NOT_A_FILE, MODEL_EMPTY, MODEL_FORMAT_UNSUPPORTED (a format that
 * is known by name), MODEL_FORMAT_UNKNOWN, and what the reader throws
 */
export async function readModel(path: string): Promise<Model> {
  return (await readerFor(path)).read(path);
}

/** The reader of a file's format. @throws ModelFormatError as `readModel` */
export async function readerFor(path: string): Promise<Reader> {
  const source = await openSource(path);
  const reader = readers.find((candidate) => candidate.match(source));
  if (reader !== undefined) return reader;
  const supported = `Supported: ${readers.map(({ name }) => name).join(', ')}.`;
  const refused = refusedFormats.find((format) => format.matches(source));
  if (refused !== undefined) {
    throw new ModelFormatError({
      code: 'MODEL_FORMAT_UNSUPPORTED',
      message: `${path}: ${refused.refusal}.`,
      advice: `${refused.advice} ${supported}`,
    });
  }
  if (source.kind === 'special') throw notAFile(path);
  if (source.head.length === 0) {
    throw new ModelFormatError({
      code: 'MODEL_EMPTY',
      message: `${path} is empty.`,
      advice: 'Download or export the model again.',
    });
  }
  const start = Buffer.from(source.head.subarray(0, 16)).toString('hex').replace(/../g, '$& ').trim();
  throw new ModelFormatError({
    code: 'MODEL_FORMAT_UNKNOWN',
    message: `${path} is no model file that is known here: it starts with the bytes ${start}.`,
    advice: `Check that it is the model and not damaged. ${supported}`,
  });
}
