import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeNpz } from '../../../bench/quantize/data/npz.js';
import { openDataSet } from '../../../lib/compiler/data/open-data-set.js';

describe('archives that the bench writes', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'npz-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('come back sample by sample, with their labels', async () => {
    writeNpz(join(folder, 'samples.npz'), [
      { name: 'x', dims: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, -0.5) },
      { name: 'labels', dims: [3], data: BigInt64Array.of(0n, 2n, 1n) },
    ]);
    const signature = { inputs: [{ name: 'x', dataType: 'float32' as const, shape: [1, 2] }], outputs: [] };
    const data = await openDataSet(folder, { task: { type: 'tensor' }, signature });
    const samples = [];
    for await (const { steps, label } of data.read()) samples.push([[...(steps[0]?.x?.data ?? [])], label]);
    expect(samples).toEqual([
      [[1, 2], { kind: 'class', index: 0 }],
      [[3, 4], { kind: 'class', index: 2 }],
      [[5, -0.5], { kind: 'class', index: 1 }],
    ]);
  });

  it('have the same bytes whenever they are written', async () => {
    const arrays = [{ name: 'x', dims: [1], data: Float32Array.of(7) }];
    writeNpz(join(folder, 'one.npz'), arrays);
    // The time of an entry has a resolution of two seconds.
    await new Promise((resolve) => setTimeout(resolve, 2100));
    writeNpz(join(folder, 'other.npz'), arrays);
    expect(readFileSync(join(folder, 'one.npz'))).toEqual(readFileSync(join(folder, 'other.npz')));
  });
});
