/** Files of a zip archive by name, in memory: for formats that are archives, and know what is in them. */
import { stat } from 'node:fs/promises';
import type { ArchiveEntry } from './archive-entry.js';
import { archiveError } from './archive-error.js';
import { openZip } from './zip.js';

const MAX_ENTRIES = 10_000;
/** Unpacked bytes for one of the archive, beyond what is always allowed: weights shrink by a tenth, pruned ones to a tenth. */
const MAX_RATIO = 100;
const ALWAYS_ALLOWED = 64 * 2 ** 20;

/**
 * Those of the wanted files that the archive holds. Names become no paths.
 * @throws ModelFormatError ARCHIVE_DAMAGED (also for two files of one name), ARCHIVE_TOO_LARGE, ARCHIVE_VARIANT
 */
export async function readZipFiles(path: string, wanted: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const { size } = await stat(path);
  let left = ALWAYS_ALLOWED + MAX_RATIO * size;
  await using zip = await openZip(path, MAX_ENTRIES);
  const found = new Map<string, Uint8Array>();
  for (const entry of zip.entries) {
    const { name } = entry;
    if (!wanted.includes(name)) continue;
    if (found.has(name)) throw archiveError('ARCHIVE_DAMAGED', `The archive holds two files called '${name}'.`);
    left -= entry.size;
    if (left < 0) {
      throw archiveError(
        'ARCHIVE_TOO_LARGE',
        `'${name}' claims ${entry.size} bytes, more than an honest archive of ${size} bytes holds.`,
      );
    }
    found.set(name, await contentOf(entry));
  }
  return found;
}

async function contentOf(entry: ArchiveEntry): Promise<Uint8Array> {
  const bytes = new Uint8Array(entry.size);
  let filled = 0;
  for await (const chunk of entry.content()) {
    if (filled + chunk.byteLength > bytes.byteLength) break;
    bytes.set(chunk, filled);
    filled += chunk.byteLength;
  }
  if (filled !== bytes.byteLength) {
    throw archiveError(
      'ARCHIVE_DAMAGED',
      `'${entry.name}' does not have the ${entry.size} bytes that the archive claims.`,
    );
  }
  return bytes;
}
