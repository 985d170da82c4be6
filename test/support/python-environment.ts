/** Python virtual environments for other people's software, made once per list of requirements; only the bench and tests ever need one. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const cache = join(import.meta.dirname, '../../.cache');

/** The interpreter of an environment with these packages, for example `['fastapi==0.165.0']`. @throws Error if pip cannot install them */
export function pythonWith(requirements: readonly string[]): string {
  const made = pythonIfMade(requirements);
  if (made !== undefined) return made;
  const folder = emptyFolderOf(requirements);
  for (const [program, ...parameters] of commandsThatMake(folder, requirements)) {
    execFileSync(program, parameters, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return finished(folder);
}

/** As `pythonWith`, while this process does other things. */
export async function makePythonWith(requirements: readonly string[]): Promise<string> {
  const made = pythonIfMade(requirements);
  if (made !== undefined) return made;
  const folder = emptyFolderOf(requirements);
  for (const [program, ...parameters] of commandsThatMake(folder, requirements)) {
    await promisify(execFile)(program, parameters);
  }
  return finished(folder);
}

/** As `pythonWith`, but undefined where the environment was not made before: nothing is installed. */
export function pythonIfMade(requirements: readonly string[]): string | undefined {
  const folder = folderOf(requirements);
  return existsSync(join(folder, 'ready')) ? join(folder, 'bin/python') : undefined;
}

function folderOf(requirements: readonly string[]): string {
  const key = createHash('sha256').update(requirements.join('\n')).digest('hex').slice(0, 12);
  return join(cache, `python-${key}`);
}

/** A virtual environment cannot be moved; an unfinished one is made again. */
function emptyFolderOf(requirements: readonly string[]): string {
  const folder = folderOf(requirements);
  rmSync(folder, { recursive: true, force: true });
  return folder;
}

function commandsThatMake(folder: string, requirements: readonly string[]): [string, ...string[]][] {
  return [
    ['python3', '-m', 'venv', folder],
    [join(folder, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', ...requirements],
  ];
}

function finished(folder: string): string {
  writeFileSync(join(folder, 'ready'), '');
  return join(folder, 'bin/python');
}
