/** Files of a zip archive by name, in memory: for formats that are archives, and know what is in them. */
import { open } from 'node:fs/promises';
import { type Entry, fromFdPromise, type ZipFile } from 'yauzl';
import { ModelFormatError } from '../../errors.js';
import { unreadable } from './file.js';

/** A file of a model has a handful; more is no model. */
const MAX_ENTRIES = 10_000;
/** Unpacked bytes for one of the archive, beyond what is always allowed: weights shrink by a tenth, pruned ones to a tenth. */
const MAX_RATIO = 100;
const ALWAYS_ALLOWED = 64 * 2 ** 20;

/**
 * The bytes of those files of the archive whose names are wanted. Names become no paths.
 * @throws ModelFormatError ZIP_DAMAGED, ZIP_TOO_LARGE, ZIP_DUPLICATE, MODEL_NOT_FOUND, MODEL_NOT_READABLE
 */
export async function readZipEntries(
  path: string,
  isWanted: (name: string) => boolean,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const { size } = await handle.stat();
    let left = ALWAYS_ALLOWED + MAX_RATIO * size;
    const zip = await fromFdPromise(handle.fd, { lazyEntries: true, autoClose: false, decodeStrings: false });
    const found = new Map<string, Uint8Array>();
    let count = 0;
    for await (const entry of zip.eachEntry()) {
      if (++count > MAX_ENTRIES) throw zipError('ZIP_TOO_LARGE', `it lists more than ${MAX_ENTRIES} files`);
      const name = (entry.fileName as unknown as Buffer).toString('utf8');
      if (!isWanted(name)) continue;
      if (found.has(name)) throw zipError('ZIP_DUPLICATE', `it holds two files called '${name}'`);
      left -= entry.uncompressedSize;
      if (left < 0)
        throw zipError(
          'ZIP_TOO_LARGE',
          `'${name}' claims ${entry.uncompressedSize} bytes, more than an honest archive of ${size} holds`,
        );
      found.set(name, await contentOf(zip, entry, name));
    }
    return found;
  } catch (cause) {
    if (cause instanceof ModelFormatError) throw cause;
    throw zipError('ZIP_DAMAGED', cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    await handle.close();
  }
}

async function contentOf(zip: ZipFile, entry: Entry, name: string): Promise<Uint8Array> {
  if (!entry.canDecodeFileData())
    throw zipError('ZIP_DAMAGED', `'${name}' is encrypted, or packed in a way that is not known`);
  const bytes = new Uint8Array(entry.uncompressedSize);
  let filled = 0;
  // yauzl counts the bytes: fewer or more than claimed are an error.
  const stream = await zip.openReadStreamPromise(entry);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      bytes.set(chunk, filled);
      filled += chunk.byteLength;
    }
  } finally {
    stream.destroy();
  }
  if (filled !== bytes.byteLength)
    throw zipError('ZIP_DAMAGED', `'${name}' ends after ${filled} of ${bytes.byteLength} bytes`);
  return bytes;
}

function zipError(code: string, what: string, cause?: unknown): ModelFormatError {
  return new ModelFormatError({
    code,
    message: `The archive cannot be read: ${what}.`,
    advice: 'The file is incomplete or damaged. Download it again, or save the model again.',
    ...(cause === undefined ? {} : { cause }),
  });
}
