/** What a reader looks at to tell whether a file is its own: content, never the file's name alone. */
import { open, readdir, stat } from 'node:fs/promises';
import { unreadable } from '../formats/file.js';

export interface ModelSource {
  readonly path: string;
  /** `special`: a pipe, a device, a socket. */
  readonly kind: 'file' | 'folder' | 'special';
  /** Bytes of a file, else 0. */
  readonly size: number;
  /** The first bytes of a file, at most 4096. */
  readonly head: Uint8Array;
  /** The names in a folder. */
  readonly entries: readonly string[];
}

const HEAD_BYTES = 4096;

/** @throws ModelFormatError MODEL_NOT_FOUND, MODEL_NOT_READABLE */
export async function openSource(path: string): Promise<ModelSource> {
  try {
    const stats = await stat(path);
    const nothing = { path, size: 0, head: new Uint8Array(), entries: [] };
    if (stats.isDirectory()) return { ...nothing, kind: 'folder', entries: await readdir(path) };
    // Nothing but a regular file is opened: a pipe would wait for a writer.
    if (!stats.isFile()) return { ...nothing, kind: 'special' };
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return { path, kind: 'file', size: stats.size, head: buffer.subarray(0, bytesRead), entries: [] };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}
