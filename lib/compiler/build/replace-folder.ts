/** A folder that is either whole or absent. */
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MANIFEST_FILE } from '../../artifact/manifest.js';
import { ArtifactError } from '../../errors.js';

/**
 * Runs `make` on an empty folder beside `destination` and moves it there when it succeeds; whatever happens, no other trace is left.
 * @throws ArtifactError OUTPUT_NOT_EMPTY if the destination holds something that is not an artifact
 */
export async function replaceFolder<T>(destination: string, make: (folder: string) => Promise<T>): Promise<T> {
  const present = await readdir(destination).catch(() => undefined);
  if (present !== undefined && present.length > 0 && !present.includes(MANIFEST_FILE)) {
    throw new ArtifactError({
      code: 'OUTPUT_NOT_EMPTY',
      message: `${destination} holds files that are no artifact (${present.slice(0, 3).join(', ')}); it would be replaced.`,
      advice: 'Choose an empty or new folder for --out.',
    });
  }
  await mkdir(dirname(destination), { recursive: true });
  const temporary = await mkdtemp(join(dirname(destination), `.${basename(destination)}-`));
  try {
    const result = await make(temporary);
    // mkdtemp makes it private; a layer is read by another user.
    await chmod(temporary, 0o755);
    await rm(destination, { recursive: true, force: true });
    await rename(temporary, destination);
    return result;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
