/**
 * The commands and what they start, compiled as `npm run prepare` compiles them, of the sources as they are when the tests begin. Hundreds of
 * processes are started by tests; through tsx each would take half a second of processor time more.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundleCommands } from '../../bin/bundle-commands.mjs';

const DIST = join(import.meta.dirname, '..', '..', 'dist');

/** Vitest calls it before the first test file; what it returns, behind the last. */
export default async function setup(): Promise<() => void> {
  mkdirSync(DIST, { recursive: true });
  // Beside what it is made like, because the code looks for the package above itself.
  const folder = mkdtempSync(join(DIST, 'test-commands-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // A run that is interrupted does not get to its end.
  process.once('exit', remove);
  await bundleCommands(folder, { main: 'lib/cli/main.ts' });
  process.env.CDK_ONNX_TEST_COMMANDS = folder;
  process.env.CDK_ONNX_SESSION_PROCESS = join(folder, 'session-process.js');
  return remove;
}
