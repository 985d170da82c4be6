/** A folder of data that a test fills and that is gone after it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { Sample } from '../../lib/compiler/data/data-set.js';

export interface DataFolder {
  readonly path: string;
  put(file: string, bytes: Uint8Array | string): void;
}

/** To be called in a file or `describe`; the folder is new for each test. */
export function useDataFolder(): DataFolder {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-data-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    get path() {
      return folder;
    },
    put(file, bytes) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), bytes);
    },
  };
}

export async function allOf(samples: AsyncIterable<Sample>): Promise<Sample[]> {
  const list: Sample[] = [];
  for await (const sample of samples) list.push(sample);
  return list;
}
