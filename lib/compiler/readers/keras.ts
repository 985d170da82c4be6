/** `.keras` archives of Keras 3 (and of 2.12 on): config.json, metadata.json, model.weights.h5. */
import { ModelFormatError } from '../../errors.js';
import { openHdf5 } from '../formats/hdf5/hdf5-file.js';
import { isRecord, parseJsonBytes } from '../formats/json.js';
import { readZipEntries } from '../formats/zip-entries.js';
import type { Model } from '../ir/model.js';
import { kerasMajorVersion } from './keras/keras-version.js';
import { lowerKerasModel } from './keras/lower-model.js';
import { parseModelConfig } from './keras/model-config.js';
import { archiveWeights } from './keras/weights/archive-weights.js';
import type { Reader } from './reader.js';
import type { ModelSource } from './source.js';

const CONFIG = 'config.json';
const METADATA = 'metadata.json';
const WEIGHTS = 'model.weights.h5';

/**
 * @throws ModelFormatError ZIP_…, HDF5_…, JSON_…, KERAS_ARCHIVE where a file is missing, and ReaderError as `lowerKerasModel`
 */
export async function readKeras(path: string): Promise<Model> {
  const files = await readZipEntries(path, (name) => [CONFIG, METADATA, WEIGHTS].includes(name));
  const model = parseModelConfig(parseJsonBytes(required(files, CONFIG), CONFIG));
  const metadata = files.get(METADATA);
  const version = metadata === undefined ? undefined : parseJsonBytes(metadata, METADATA);
  const weights = archiveWeights(openHdf5(required(files, WEIGHTS)), model);
  const written = isRecord(version) ? version.keras_version : undefined;
  return lowerKerasModel({ model, weights, kerasMajorVersion: kerasMajorVersion(written, 3) });
}

function required(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (bytes !== undefined) return bytes;
  throw new ModelFormatError({
    code: 'KERAS_ARCHIVE',
    message: `The Keras archive holds no ${name}.`,
    advice: 'Save the whole model with model.save("model.keras"); weights alone are no model.',
  });
}

/** By the first file of the archive: Keras writes these first. */
export function looksLikeKerasArchive({ head }: ModelSource): boolean {
  if (![0x50, 0x4b, 0x03, 0x04].every((byte, index) => head[index] === byte)) return false;
  const length = (head[26] ?? 0) + (head[27] ?? 0) * 256;
  return [CONFIG, METADATA, WEIGHTS].includes(new TextDecoder().decode(head.subarray(30, 30 + length)));
}

export const kerasReader: Reader = { name: 'Keras', match: looksLikeKerasArchive, read: readKeras };
