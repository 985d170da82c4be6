/** A folder that a test file fills, and one inside it that is TMPDIR meanwhile: what stays there was left behind. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

export interface WatchedTemporaryFolder {
  readonly path: string;
  /** Names in TMPDIR, without what Node's loader of TypeScript caches. */
  leftBehind(): string[];
}

/** To be called once in a file. */
export function useWatchedTemporaryFolder(): WatchedTemporaryFolder {
  let root = '';
  let before: string | undefined;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-'));
    mkdirSync(join(root, 'tmp'));
    before = process.env.TMPDIR;
    process.env.TMPDIR = join(root, 'tmp');
  });
  afterAll(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(root, { recursive: true });
  });
  return {
    get path() {
      return root;
    },
    leftBehind: () => readdirSync(join(root, 'tmp')).filter((name) => name.startsWith('cdk-onnx')),
  };
}
