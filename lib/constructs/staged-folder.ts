/** A folder beside a staged asset, made of some of its files. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Its path in the folder, and where its content is. */
export type StagedFile = { readonly path: string } & ({ readonly copyOf: string } | { readonly text: string });

/** Under a temporary name first: a folder that is there is whole. Its name has to change with its content. */
export function stageFolder(folder: string, files: readonly StagedFile[]): void {
  if (existsSync(folder)) return;
  const temporary = join(dirname(folder), `.${basename(folder)}.${process.pid}.tmp`);
  try {
    for (const file of files) {
      const target = join(temporary, file.path);
      mkdirSync(dirname(target), { recursive: true });
      if ('text' in file) writeFileSync(target, file.text);
      else copyFileSync(file.copyOf, target);
    }
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
