import { test } from 'vitest';
import type { PythonWorker } from '../support/python-worker.js';
import { requireClient } from './python-clients.js';

/** Declares cases of the conformance list: a name, the Python function that is the case, and its arguments. */
export function pythonCases(client: () => PythonWorker | undefined) {
  return (name: string, python: string, values: Readonly<Record<string, unknown>> = {}): void => {
    test(name, async ({ skip }) => {
      await requireClient(client(), skip).call(python, values);
    });
  };
}
