/** Lambda's arm64 in an emulator. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Emulation, finds } from './sandbox.js';

/** Debian's arm64 libraries for programs that run in an emulator. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const EMULATOR = '/usr/bin/qemu-aarch64';
const NODE24_ARM64 = process.env.NODE24_ARM64 ?? '';

const needs: [string, boolean][] = [
  ['qemu-aarch64 (Debian: apt install qemu-user)', finds(EMULATOR)],
  [
    'arm64 libraries (Debian: apt install libc6-arm64-cross libstdc++6-arm64-cross)',
    existsSync(join(LIBRARIES, 'lib/libstdc++.so.6')),
  ],
  ['NODE24_ARM64, the path of a Node.js 24 for linux-arm64', existsSync(NODE24_ARM64)],
];
const lacks = needs.filter(([, isThere]) => !isThere).map(([name]) => name);
export const GRAVITON_SKIPPED = lacks.length > 0 && process.env.CI !== 'true';
/** For the title of a suite. */
export const GRAVITON_NOTE = GRAVITON_SKIPPED ? ` (skipped: needs ${lacks.join(', ')})` : '';

/**
 * A Graviton2: the host's own /proc/cpuinfo would be shown otherwise, and onnxruntime's detection of the CPU ends the process there.
 *
 * @throws Error naming what this machine lacks
 */
export function graviton(): Emulation {
  if (lacks.length > 0) throw new Error(`skipped: needs ${lacks.join(', ')}`);
  return {
    node: NODE24_ARM64,
    architecture: 'arm64',
    command: [EMULATOR, '-cpu', 'neoverse-n1', '-L', LIBRARIES],
    files: [
      [EMULATOR, EMULATOR],
      [LIBRARIES, LIBRARIES],
      [join(import.meta.dirname, 'graviton-cpuinfo.txt'), '/proc/cpuinfo'],
    ],
  };
}
