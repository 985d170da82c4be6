import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The version of the installed onnxruntime-node: the one that artifacts are checked with and that the layer ships. */
export function onnxruntimeVersion(): string {
  const entry = createRequire(import.meta.filename).resolve('onnxruntime-node');
  return JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8')).version;
}
