/** Files as they are for an environment on a machine that never ran the function: not in memory. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { listFolder } from '../../lib/artifact/folder-digest.js';

/** posix_fadvise, by way of dd: dropping all of the system's caches takes rights that containers lack. */
export function dropFileCache(folders: readonly string[]): void {
  const files = folders.flatMap((folder) => listFolder(folder).map(({ path }) => join(folder, path)));
  const script = 'for file; do dd if="$file" iflag=nocache count=0 status=none; done';
  execFileSync('sh', ['-c', script, 'sh', ...files], { stdio: ['ignore', 'ignore', 'inherit'] });
}
