/**
 * CPUs on which onnxruntime's uint8 · int8 products saturate: x64 without VNNI. Tests that need exact ones are skipped there: they need VNNI.
 * What such machines do is tested in test/saturation, wherever it runs.
 */
import { readFileSync } from 'node:fs';

export const PRODUCTS_SATURATE = process.arch === 'x64' && !/\bavx(512)?_vnni\b/.test(cpuFlags());

function cpuFlags(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return 'avx512_vnni';
  }
}
