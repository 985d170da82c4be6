/** Lambda's own runtime client, laid out as in /var/runtime. */
import { copyFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder with the client's index.mjs, which takes the handler's name as its argument.
 *
 * @param source folder of the npm package aws-lambda-ric
 */
export function layOutRuntimeClient(source: string): string {
  const runtime = mkdtempSync(join(tmpdir(), 'cdk-onnx-runtime-'));
  copyFileSync(join(source, 'index.mjs'), join(runtime, 'index.mjs'));
  // A folder of the native part's name: `require` finds the stand-in there.
  mkdirSync(join(runtime, 'rapid-client.node'));
  copyFileSync(join(import.meta.dirname, 'rapid-client.cjs'), join(runtime, 'rapid-client.node/index.cjs'));
  copyFileSync(join(import.meta.dirname, 'rapid-client-package.json'), join(runtime, 'rapid-client.node/package.json'));
  return runtime;
}
