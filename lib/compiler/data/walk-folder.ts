/** The files of a data folder, in a stable order. */
import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { dataError, inFile } from './data-error.js';

export interface DataPath {
  /** From the set's folder, with forward slashes. */
  readonly path: string;
  /** Where it lies on this machine. */
  readonly file: string;
  readonly bytes: number;
}

/** What a folder of data may hold beside data. */
const PASSED_OVER = /^(\..*|.*\.md|licen[sc]e(\..*)?|notice(\..*)?|thumbs\.db)$/i;
const MAX_DEPTH = 32;

/**
 * Sorted by path, byte by byte. Hidden files, Markdown and licences are passed over; links are refused, for a data folder that somebody was
 * given could point anywhere.
 * @param root a folder, or one file
 * @throws ConfigurationError DATA_NOT_FOUND, DATA_NOT_READABLE, DATA_VARIANT_UNSUPPORTED, DATA_TOO_LARGE
 */
export async function walkFolder(root: string, maxFiles: number): Promise<readonly DataPath[]> {
  const found: DataPath[] = [];
  const visit = async (file: string, path: string, depth: number): Promise<void> => {
    const stats = await lstat(file);
    if (stats.isSymbolicLink() && depth > 0) throw unsupported(path, 'is a link');
    if (stats.isDirectory()) {
      if (depth > MAX_DEPTH) throw unsupported(path, `lies more than ${MAX_DEPTH} folders deep`);
      for (const name of (await readdir(file)).sort(byBytes)) {
        if (!PASSED_OVER.test(name)) await visit(join(file, name), path === '' ? name : `${path}/${name}`, depth + 1);
      }
      return;
    }
    if (!stats.isFile()) throw unsupported(path, 'is no regular file');
    if (found.length >= maxFiles) {
      throw dataError(
        'DATA_TOO_LARGE',
        `${root} holds more than ${maxFiles} files.`,
        'Put fewer samples into it, or several into one .npz file.',
      );
    }
    found.push({ path: path === '' ? basename(file) : path, file, bytes: stats.size });
  };
  try {
    await visit(root, '', 0);
  } catch (error) {
    throw inFile(root, error);
  }
  return found.sort((one, other) => byBytes(one.path, other.path));
}

export function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function unsupported(path: string, what: string) {
  return dataError('DATA_VARIANT_UNSUPPORTED', `${path} ${what}.`, 'Copy the file itself into the folder.');
}
