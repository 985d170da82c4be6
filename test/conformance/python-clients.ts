/** The clients in Python, each in an environment of its own, so that none holds another's dependencies back. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonIfMade, pythonWith } from '../support/python-environment.js';

export const PYTHON_CLIENTS = ['tritonclient', 'kserve', 'schemathesis'] as const;
export type PythonClient = (typeof PYTHON_CLIENTS)[number];

const NEEDS = 'skipped: needs python3 with the clients: npx tsx test/conformance/install-clients.ts';

/** The interpreter; undefined where the client was not installed before. With CI=true it is installed. */
export function clientPython(client: PythonClient): string | undefined {
  return process.env.CI === 'true' ? pythonWith(requirementsOf(client)) : pythonIfMade(requirementsOf(client));
}

/** For the start of a test, which is skipped where the value is undefined. */
export function requireClient<Value>(value: Value | undefined, skip: (note: string) => void): Value {
  if (value !== undefined) return value;
  skip(NEEDS);
  // skip() has ended the test by throwing.
  throw new Error('unreachable');
}

/** All versions, of the client and of what it depends on. */
export function requirementsOf(client: PythonClient): string[] {
  const file = join(import.meta.dirname, 'requirements', `${client}.txt`);
  return readFileSync(file, 'utf8').trim().split('\n');
}
