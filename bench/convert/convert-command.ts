import { join } from 'node:path';
import { runTree } from '../process-tree.js';

const program = join(import.meta.dirname, '../../bin/cdk-onnx.mjs');

/** `cdk-onnx convert` as a process of its own. @throws Error with what it wrote */
export async function convertByCommand(source: string, out: string, watchMemory: boolean) {
  const run = await runTree(process.execPath, [program, 'convert', source, '--out', out, '--json'], { watchMemory });
  if (run.code !== 0) throw new Error(run.stderr.trim().slice(-2000) || `exit code ${run.code}`);
  return run;
}
