/** The machine that measurements are made on. */
import { cpus } from 'node:os';
import type { Architecture } from '../../artifact/manifest.js';

/** `Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz`; latencies mean nothing without it. */
export function cpuName(): string {
  return cpus()[0]?.model.trim().replace(/\s+/g, ' ') || 'unknown CPU';
}

/** Undefined where Lambda has none like it. */
export function hostArchitecture(): Architecture | undefined {
  if (process.arch === 'arm64') return 'arm64';
  return process.arch === 'x64' ? 'x86_64' : undefined;
}
