/** Lambda's Node.js for the bench: NODE24, or once per machine from the npm registry. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = `node-${process.platform}-${process.arch}`;

/** Path of a Node.js 24. @throws Error where the registry has none for this machine */
export function node24(): string {
  const given = process.env.NODE24;
  if (given !== undefined && existsSync(given)) return given;
  const folder = join(import.meta.dirname, '../.cache/node-24');
  const binary = join(folder, 'node_modules', PACKAGE, 'bin/node');
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    // The binary lies in the package: no script has to run.
    const settings = ['--prefix', folder, '--no-save', '--ignore-scripts', '--silent'];
    execFileSync('npm', ['install', ...settings, `${PACKAGE}@24`], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return binary;
}
