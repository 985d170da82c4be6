/** `.keras` archives of Keras 3 (and of 2.12 on): config.json, metadata.json, model.weights.h5. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelFormatError } from '../../../errors.js';
import { readZipFiles } from '../../formats/archive/zip-files.js';
import { readWholeFile } from '../../formats/file.js';
import { openHdf5 } from '../../formats/hdf5/hdf5-file.js';
import { isRecord, parseJsonBytes } from '../../formats/json.js';
import type { Model } from '../../ir/model.js';
import { CONFIG, METADATA, WEIGHTS } from './archive-names.js';
import { kerasMajorVersion } from './keras-version.js';
import { lowerKerasModel } from './lower-model.js';
import { parseModelConfig } from './model-config.js';
import { archiveWeights } from './weights/archive-weights.js';

/** One array of bytes. */
const MAX_FILE_BYTES = 2 ** 32;
const FILES: readonly string[] = [CONFIG, METADATA, WEIGHTS];

/**
 * @throws ModelFormatError ARCHIVE_…, HDF5_…, JSON_…, KERAS_ARCHIVE where a file is missing, and ReaderError as `lowerKerasModel`
 */
export async function readKeras(path: string): Promise<Model> {
  const files = await readFiles(path);
  const model = parseModelConfig(parseJsonBytes(required(files, CONFIG), CONFIG));
  const metadata = files.get(METADATA);
  const version = metadata === undefined ? undefined : parseJsonBytes(metadata, METADATA);
  const weights = archiveWeights(openHdf5(required(files, WEIGHTS)), model);
  const written = isRecord(version) ? version.keras_version : undefined;
  return lowerKerasModel({ model, weights, kerasMajorVersion: kerasMajorVersion(written, 3) });
}

async function readFiles(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  if (!(await stat(path)).isDirectory()) return await readZipFiles(path, FILES);
  const files = new Map<string, Uint8Array>();
  for (const name of FILES) {
    const file = join(path, name);
    if (existsSync(file)) files.set(name, await readWholeFile(file, MAX_FILE_BYTES));
  }
  return files;
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
