/** What a data file is: told by its first bytes, and by its name only where bytes cannot tell. */
import { open } from 'node:fs/promises';
import { pictureFormat } from '../../tasks/image/decode-picture.js';
import { dataError, inFile } from './data-error.js';
import { isNumpy } from './numpy-header.js';
import type { DataPath } from './walk-folder.js';

export type DataFormat = 'picture' | 'npy' | 'npz' | 'wav' | 'json-lines' | 'text';

/** @throws ConfigurationError DATA_FORMAT_UNKNOWN, DATA_NOT_READABLE */
export async function sniffData({ file, path }: DataPath): Promise<DataFormat> {
  const start = await firstBytes(file, path);
  if (pictureFormat(start) !== undefined) return 'picture';
  if (isNumpy(start)) return 'npy';
  const text = Buffer.from(start).toString('latin1');
  if (text.startsWith('PK\x03\x04')) return 'npz';
  if (/^RIFF....WAVE/s.test(text)) return 'wav';
  if (/\.(jsonl|ndjson)$/i.test(path)) return 'json-lines';
  if (/\.txt$/i.test(path)) return 'text';
  throw dataError(
    'DATA_FORMAT_UNKNOWN',
    `${path} is none of the formats that data may have.`,
    'JPEG, PNG, WAV, .npy, .npz, .jsonl and .txt are read; take other files out of the folder.',
  );
}

async function firstBytes(file: string, path: string): Promise<Uint8Array> {
  try {
    const handle = await open(file, 'r');
    try {
      const bytes = new Uint8Array(16);
      const { bytesRead } = await handle.read(bytes, 0, bytes.byteLength, 0);
      return bytes.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw inFile(path, error);
  }
}
