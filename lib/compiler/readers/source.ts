/** What a reader looks at to tell whether a file is its own: content, never the file's name alone. */
import { open, readdir, stat } from 'node:fs/promises';
import { looksLikeTar } from '../formats/archive/tar.js';
import type { ArchiveKind } from '../formats/archive/unpack.js';
import { openZip } from '../formats/archive/zip.js';
import { unreadable } from '../formats/file.js';

export interface ModelSource {
  readonly path: string;
  /** `special`: a pipe, a device, a socket. */
  readonly kind: 'file' | 'folder' | 'special';
  /** Bytes of a file, else 0. */
  readonly size: number;
  /** The first bytes of a file, at most 4096. */
  readonly head: Uint8Array;
  /** The names in a folder; of a zip file those of all files in it, as they stand there. */
  readonly entries: readonly string[];
  /** Of a file that holds others. Formats of models may be such files themselves: a reader that matches goes first. */
  readonly archive?: ArchiveKind;
}

const HEAD_BYTES = 4096;
/** Of a zip file that tells what it is by what it holds. */
const MAX_ZIP_ENTRIES = 10_000;

/** @throws ModelFormatError MODEL_NOT_FOUND, MODEL_NOT_READABLE */
export async function openSource(path: string): Promise<ModelSource> {
  try {
    const stats = await stat(path);
    const nothing = { path, size: 0, head: new Uint8Array(), entries: [] };
    if (stats.isDirectory()) return { ...nothing, kind: 'folder', entries: await readdir(path) };
    // Nothing but a regular file is opened: a pipe would wait for a writer.
    if (!stats.isFile()) return { ...nothing, kind: 'special' };
    const head = await readHead(path);
    const archive = archiveKindOf(head);
    const entries = archive === 'zip' ? await zipNames(path, head) : [];
    return { path, kind: 'file', size: stats.size, head, entries, ...(archive === undefined ? {} : { archive }) };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function readHead(path: string): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function archiveKindOf(head: Uint8Array): ArchiveKind | undefined {
  if (head[0] === 0x50 && head[1] === 0x4b && head[2] === 0x03 && head[3] === 0x04) return 'zip';
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  return looksLikeTar(head) ? 'tar' : undefined;
}

/** A zip file whose directory is damaged is known by its first file, so that its reader can say what is wrong with it. */
async function zipNames(path: string, head: Uint8Array): Promise<string[]> {
  try {
    await using zip = await openZip(path, MAX_ZIP_ENTRIES);
    return zip.entries.map(({ name }) => name);
  } catch {
    const length = (head[26] ?? 0) + (head[27] ?? 0) * 256;
    return [new TextDecoder().decode(head.subarray(30, 30 + length))];
  }
}
