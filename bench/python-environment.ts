/** A Python virtual environment for peers, made once per list of requirements; only the bench and tests ever need it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const cache = join(import.meta.dirname, '../.cache');

/** The interpreter of an environment with these packages, for example `['fastapi==0.165.0']`. @throws Error if pip cannot install them */
export function pythonWith(requirements: readonly string[]): string {
  const key = createHash('sha256').update(requirements.join('\n')).digest('hex').slice(0, 12);
  const folder = join(cache, `python-${key}`);
  const ready = join(folder, 'ready');
  if (!existsSync(ready)) {
    // A virtual environment cannot be moved; an unfinished one is made again.
    rmSync(folder, { recursive: true, force: true });
    execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ...requirements], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    writeFileSync(ready, '');
  }
  return join(folder, 'bin/python');
}
