import { pythonWith } from '../../bench/python-environment.js';

/** For the start of a test: a Python with these packages, after skipping the test, or failing under CI=true, where it cannot be made. */
export function requirePython(requirements: readonly string[], skip: (note: string) => void): string {
  try {
    return pythonWith(requirements);
  } catch (error) {
    const note = `skipped: needs python3 with venv and ${requirements.join(', ')} from PyPI`;
    if (process.env.CI === 'true') throw new Error(note, { cause: error });
    skip(note);
    // skip() has ended the test by throwing.
    throw new Error('unreachable');
  }
}
