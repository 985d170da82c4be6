import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pythonIfMade, pythonWith } from './python-environment.js';

const cache = join(import.meta.dirname, '../../.cache');
/** Longer than any installation takes: an older lock is that of a process that was killed. */
const LOCK_MS = 600_000;
const PAUSE_MS = 200;

/** For the start of a test: a Python with these packages. Under CI=true it is made; elsewhere the test is skipped where it was not made before. */
export function requirePython(requirements: readonly string[], skip: (note: string) => void): string {
  if (process.env.CI === 'true') return oneAtATime(() => pythonWith(requirements));
  const made = pythonIfMade(requirements);
  if (made !== undefined) return made;
  skip(`skipped: needs ${requirements.join(', ')} from PyPI, which CI=true installs into .cache`);
  // skip() has ended the test by throwing.
  throw new Error('unreachable');
}

/** Test files run in processes of their own, and several need the same environment. */
function oneAtATime<T>(run: () => T): T {
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, 'python.lock');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
      if (Date.now() - since > LOCK_MS) rmSync(lock, { recursive: true, force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
  try {
    return run();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}
