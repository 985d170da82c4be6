/** Zip archives: what their directory lists, and the bytes of each file. */
import { type FileHandle, open } from 'node:fs/promises';
import { type Entry, fromFdPromise, type ZipFile } from 'yauzl';
import { ModelFormatError } from '../../../errors.js';
import type { ArchiveEntry } from './archive-entry.js';
import { archiveError } from './archive-error.js';
import { crc32 } from './crc32.js';

export interface ZipArchive extends AsyncDisposable {
  readonly entries: readonly ArchiveEntry[];
}

/** Upper half of the external attributes: the file's mode on Unix. */
const FILE_TYPE = 0o170000;
/** Pairs, because the formatter mistakes octal numbers as keys. Archives of systems without modes have 0. */
const KINDS: ReadonlyMap<number, ArchiveEntry['kind']> = new Map([
  [0, 'file'],
  [0o100000, 'file'],
  [0o040000, 'folder'],
  [0o120000, 'link'],
]);

/**
 * Reads the directory, no file.
 * @param maximumEntries an archive that lists more is refused
 * @throws ModelFormatError ARCHIVE_DAMAGED, ARCHIVE_TOO_LARGE; ARCHIVE_VARIANT and ARCHIVE_DAMAGED also where a file is read
 */
export async function openZip(path: string, maximumEntries: number): Promise<ZipArchive> {
  const handle = await open(path, 'r');
  try {
    // Names are checked where they become paths.
    const zip = await fromFdPromise(handle.fd, { lazyEntries: true, autoClose: false, decodeStrings: false });
    const entries: ArchiveEntry[] = [];
    for await (const entry of zip.eachEntry()) {
      if (entries.length >= maximumEntries) {
        throw archiveError('ARCHIVE_TOO_LARGE', `The archive holds more than ${maximumEntries} files.`);
      }
      entries.push(entryOf(zip, entry));
    }
    return { entries, [Symbol.asyncDispose]: () => close(handle) };
  } catch (cause) {
    await close(handle);
    throw damaged(cause);
  }
}

async function close(handle: FileHandle): Promise<void> {
  await handle.close();
}

function entryOf(zip: ZipFile, entry: Entry): ArchiveEntry {
  const name = (entry.fileName as unknown as Buffer).toString('utf8');
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE;
  const kind = KINDS.get(type) ?? 'special';
  return {
    name,
    kind: kind === 'file' && name.endsWith('/') ? 'folder' : kind,
    size: entry.uncompressedSize,
    content: () => contentOf(zip, entry, name),
  };
}

async function* contentOf(zip: ZipFile, entry: Entry, name: string): AsyncGenerator<Uint8Array> {
  if (!entry.canDecodeFileData()) {
    throw archiveError(
      'ARCHIVE_VARIANT',
      `${JSON.stringify(name)} in the archive is encrypted, or packed in a way that is not known.`,
    );
  }
  try {
    const stream = await zip.openReadStreamPromise(entry);
    let checksum = 0;
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        checksum = crc32(chunk, checksum);
        yield chunk;
      }
    } finally {
      stream.destroy();
    }
    if (checksum !== entry.crc32) throw new Error('its checksum is wrong');
  } catch (cause) {
    throw damaged(cause, name);
  }
}

/** yauzl and zlib say what is wrong in errors of their own. */
function damaged(cause: unknown, name?: string): ModelFormatError {
  if (cause instanceof ModelFormatError) return cause;
  const what = name === undefined ? 'The archive' : `${JSON.stringify(name)} in the archive`;
  return archiveError(
    'ARCHIVE_DAMAGED',
    `${what} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
    cause,
  );
}
