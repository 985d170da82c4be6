import { describe, expect, it } from 'vitest';
import { runTree } from '../../bench/process-tree.js';

/** Holds so many megabytes for a moment, in a process that it starts too. */
const HOLD = `
  const held = Buffer.alloc(Number(process.argv[1]) * 1e6, 1);
  const { execFileSync } = require('node:child_process');
  const inner = process.argv[2];
  if (inner) execFileSync(process.execPath, ['-e', 'const held = Buffer.alloc(' + inner + ' * 1e6, 1); setTimeout(() => held, 600)']);
  process.stdout.write(String(held.length));`;

describe('the memory of a command', () => {
  it('is that of all processes that come of it', async () => {
    const run = (...megabytes: number[]) =>
      runTree(process.execPath, ['-e', HOLD, ...megabytes.map(String)], { watchMemory: true });
    const [both, outer] = [await run(200, 100), await run(1, 100)];
    expect(both.code).toBe(0);
    expect(both.stdout).toBe('200000000');
    // What a Node of its own takes varies by some 20 MB.
    expect(both.peakBytes - outer.peakBytes).toBeGreaterThan(140e6);
    expect(both.peakBytes - outer.peakBytes).toBeLessThan(260e6);
    expect(outer.peakBytes).toBeGreaterThan(100e6);
  });

  it('and its failure are told with what it wrote', async () => {
    const run = await runTree(process.execPath, ['-e', 'process.stderr.write("why"); process.exitCode = 3']);
    expect([run.code, run.stderr]).toEqual([3, 'why']);
  });
});
