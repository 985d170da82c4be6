/** Lambda's own runtime client for the bench: AWS_LAMBDA_RIC, or once per machine from the npm registry. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = 'aws-lambda-ric';

/** Folder of aws-lambda-ric 4, without its native part. @throws Error where npm cannot install it */
export function lambdaRuntimeClient(): string {
  const given = process.env.AWS_LAMBDA_RIC;
  if (given !== undefined && existsSync(join(given, 'index.mjs'))) return given;
  const prefix = join(import.meta.dirname, '../.cache/aws-lambda-ric');
  const folder = join(prefix, 'node_modules', PACKAGE);
  if (!existsSync(join(folder, 'index.mjs'))) {
    mkdirSync(prefix, { recursive: true });
    // Its install script compiles for minutes what the sandbox has a stand-in for.
    const settings = ['--prefix', prefix, '--no-save', '--ignore-scripts', '--silent'];
    execFileSync('npm', ['install', ...settings, `${PACKAGE}@4`], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return folder;
}
