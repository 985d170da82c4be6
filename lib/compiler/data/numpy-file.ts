/** .npy and .npz files: what arrays they hold, told by their headers, and rows of them. */
import { type FileHandle, open } from 'node:fs/promises';
import { type Entry, fromFdPromise, type ZipFile } from 'yauzl';
import { type ByteRangeReader, fileRange, StreamRange } from './byte-range.js';
import { damaged, dataError, inFile } from './data-error.js';
import { NUMPY_PREFIX_BYTES, type NumpyHeader, numpyHeaderBytes, parseNumpyHeader } from './numpy-header.js';

export interface NumpyArray {
  /** In an archive the entry's name without `.npy`; of a file of its own the empty text. */
  readonly name: string;
  readonly header: NumpyHeader;
  readonly bytes: ByteRangeReader;
}

export interface NumpyFile {
  readonly arrays: readonly NumpyArray[];
  close(): Promise<void>;
}

/** An archive with more is no set of inputs. */
const MAX_ARRAYS = 4096;

/** @throws ConfigurationError DATA_DAMAGED, DATA_VARIANT_UNSUPPORTED, DATA_TOO_LARGE, DATA_NOT_FOUND, DATA_NOT_READABLE */
export async function openNumpyFile(path: string, where: string, kind: 'npy' | 'npz'): Promise<NumpyFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    return kind === 'npy' ? await singleArray(handle, where) : await archive(handle, where);
  } catch (error) {
    await handle?.close();
    throw inFile(where, error);
  }
}

async function singleArray(handle: FileHandle, where: string): Promise<NumpyFile> {
  const { size } = await handle.stat();
  const bytes = fileRange(handle, 0, size, where);
  return { arrays: [{ name: '', header: await readHeader(bytes, where), bytes }], close: () => handle.close() };
}

async function archive(handle: FileHandle, where: string): Promise<NumpyFile> {
  // Names become no paths, so they are taken as they are: `x:0` is a fine name of an input and looks like a drive.
  const zip = await fromFdPromise(handle.fd, { lazyEntries: true, autoClose: false, decodeStrings: false });
  const arrays: NumpyArray[] = [];
  try {
    for await (const entry of zip.eachEntry()) {
      if (arrays.length >= MAX_ARRAYS) throw damaged(where, `it holds more than ${MAX_ARRAYS} arrays`);
      const name = (entry.fileName as unknown as Buffer).toString('utf8');
      if (name.endsWith('/')) continue;
      if (!name.endsWith('.npy')) throw damaged(where, `its entry ${JSON.stringify(name)} is no NumPy array`);
      const place = `${where} (${name})`;
      const bytes = await entryBytes(zip, entry, handle, place);
      arrays.push({ name: name.slice(0, -'.npy'.length), header: await readHeader(bytes, place), bytes });
    }
  } catch (error) {
    await closeAll(arrays);
    throw error;
  }
  return {
    arrays,
    async close() {
      await closeAll(arrays);
      await handle.close();
    },
  };
}

async function closeAll(arrays: readonly NumpyArray[]): Promise<void> {
  for (const { bytes } of arrays) await bytes.close();
}

async function entryBytes(zip: ZipFile, entry: Entry, handle: FileHandle, where: string): Promise<ByteRangeReader> {
  if (!entry.canDecodeFileData()) {
    throw dataError(
      'DATA_VARIANT_UNSUPPORTED',
      `${where} is encrypted, or compressed in a way that is not known.`,
      'Write it with numpy.savez or numpy.savez_compressed.',
    );
  }
  if (entry.compressionMethod === 0) {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    return fileRange(handle, fileDataStart, entry.uncompressedSize, where);
  }
  return new StreamRange(() => zip.openReadStreamPromise(entry), entry.uncompressedSize, where);
}

async function readHeader(bytes: ByteRangeReader, where: string): Promise<NumpyHeader> {
  const prefix = await bytes.read(0, Math.min(NUMPY_PREFIX_BYTES, bytes.length));
  const headerBytes = numpyHeaderBytes(prefix, where);
  if (headerBytes > bytes.length) throw damaged(where, 'it ends within its header');
  const header = parseNumpyHeader(await bytes.read(0, headerBytes), where);
  const expected = header.dataStart + header.itemBytes * header.shape.reduce((product, dim) => product * dim, 1);
  if (expected !== bytes.length) {
    throw damaged(
      where,
      `its shape [${header.shape.join(', ')}] asks for ${expected} bytes and it has ${bytes.length}`,
    );
  }
  return header;
}
