/** The SDK's two clients in a bundle: what a router costs that asks by them. Not packages of this project: they come from npm, into .cache. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const VERSION = '3.1164.0';
const PACKAGES = ['@aws-sdk/client-lambda', '@aws-sdk/client-sagemaker-runtime'];
const folder = join(import.meta.dirname, '../../.cache/aws-sdk-router', VERSION);

export function sdkVersions(): Readonly<Record<string, string>> {
  return Object.fromEntries(PACKAGES.map((name) => [name, VERSION]));
}

/** Writes index.mjs into a folder, as functions/build.mjs bundles ours. @throws Error where npm cannot install the clients */
export async function bundleSdkRouter(outputDirectory: string): Promise<void> {
  if (!PACKAGES.every((name) => existsSync(join(folder, 'node_modules', name)))) {
    mkdirSync(folder, { recursive: true });
    const settings = ['--prefix', folder, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'];
    const exact = PACKAGES.map((name) => `${name}@${VERSION}`);
    execFileSync('npm', ['install', ...settings, ...exact], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  // Beside its packages: that is where a bundler looks for them.
  const entry = join(folder, 'sdk-router.mjs');
  copyFileSync(join(import.meta.dirname, 'sdk-router.mjs'), entry);
  await build({
    entryPoints: [entry],
    outfile: join(outputDirectory, 'index.mjs'),
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: "import{createRequire as peerRequire}from'node:module';const require=peerRequire(import.meta.url);" },
    logLevel: 'warning',
  });
}
