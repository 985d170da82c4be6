/** A folder as a zip archive, as zip tools on Unix pack it: with the folder's own name, and the modes of files and folders. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Zippable, zipSync } from 'fflate';

const UNIX = 3;

export function zipFolder(folder: string): Uint8Array {
  const entries: Zippable = {};
  const add = (path: string, name: string) => {
    entries[`${name}/`] = [new Uint8Array(), { os: UNIX, attrs: 0o040755 << 16 }];
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const [inner, innerName] = [join(path, entry.name), `${name}/${entry.name}`];
      if (entry.isDirectory()) add(inner, innerName);
      else entries[innerName] = [new Uint8Array(readFileSync(inner)), { os: UNIX, attrs: 0o100644 * 2 ** 16 }];
    }
  };
  add(folder, basename(folder));
  return zipSync(entries);
}
