import { createHash } from 'node:crypto';
import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactError } from '../errors.js';
import type { FileDigests } from './file-digests.js';

export interface FolderFile {
  /** Relative to the folder, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
}

/** Names that say nothing about a model: version control and what desktop systems leave behind. */
const IGNORED_NAMES = new Set(['.git', '.DS_Store', 'Thumbs.db']);

/**
 * Every regular file below a folder, sorted by path.
 *
 * @throws ArtifactError `SYMBOLIC_LINK_IN_FOLDER`: what a link points at may lie outside and change unseen.
 */
export function listFolder(folder: string): FolderFile[] {
  const files: FolderFile[] = [];
  const visit = (relative: string): void => {
    for (const entry of readdirSync(join(folder, relative), { withFileTypes: true })) {
      if (IGNORED_NAMES.has(entry.name)) continue;
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (isRegularFile(entry, folder, path)) {
        const { size, mode } = lstatSync(join(folder, path));
        files.push({ path, bytes: size, executable: (mode & 0o111) !== 0 });
      }
    }
  };
  visit('');
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isRegularFile(entry: Dirent, folder: string, path: string): boolean {
  if (entry.isSymbolicLink()) {
    throw new ArtifactError({
      code: 'SYMBOLIC_LINK_IN_FOLDER',
      message: `${join(folder, path)} is a symbolic link.`,
      advice: 'Put the file itself there; links are not followed, because what they point at can change unseen.',
    });
  }
  return entry.isFile();
}

/** Bytes of all files below a folder. */
export function folderBytes(folder: string): number {
  return listFolder(folder).reduce((sum, file) => sum + file.bytes, 0);
}

/** sha256 over the paths, contents and executable bits of all files below a folder; independent of where the folder lies. */
export function folderDigest(folder: string, digests: FileDigests): string {
  const hash = createHash('sha256');
  for (const file of listFolder(folder)) {
    const digest = digests.sha256(join(folder, file.path));
    hash.update(`${JSON.stringify(file.path)} ${file.executable ? 'x' : '-'} ${digest}\n`);
  }
  return hash.digest('hex');
}
