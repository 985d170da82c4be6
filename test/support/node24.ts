import { existsSync } from 'node:fs';

/** Path of the Node.js that Lambda runs functions with, or undefined where the machine has none for the tests. */
export const NODE24 = process.env.NODE24 && existsSync(process.env.NODE24) ? process.env.NODE24 : undefined;

export interface NodeUnderTest {
  readonly name: string;
  /** Undefined: skipped, or under CI=true a failure. */
  readonly path: string | undefined;
}

export const NODES_UNDER_TEST: readonly NodeUnderTest[] = [
  { name: `Node.js ${process.version}`, path: process.execPath },
  { name: 'Node.js 24', path: NODE24 },
];

/** For the start of a test: its Node.js, after skipping the test where there is none. */
export function requireNode({ path }: NodeUnderTest, skip: (note: string) => void): string {
  if (path !== undefined) return path;
  if (process.env.CI === 'true') throw new Error('skipped: needs NODE24, the path of a Node.js 24');
  skip('skipped: needs NODE24');
  // skip() has ended the test by throwing.
  throw new Error('unreachable');
}
