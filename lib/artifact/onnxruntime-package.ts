/** The `@cdk-onnx/onnxruntime-*` packages: the layers for both of Lambda's architectures, and the runtime of this host. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ConfigurationError } from '../errors.js';

const PLATFORM_OF_LAYER = { arm64: 'linux-arm64', x86_64: 'linux-x64' } as const;
const RUNTIME_IN_LAYER = 'nodejs/node_modules/onnxruntime-node';

/**
 * What Lambda unpacks to /opt.
 *
 * @throws ConfigurationError `RUNTIME_NOT_INSTALLED`, `NOT_PREPARED`
 */
export function onnxruntimeLayerFolder(architecture: 'arm64' | 'x86_64'): string {
  const name = packageName(PLATFORM_OF_LAYER[architecture]);
  const packageJson = resolveFrom(`${name}/package.json`);
  if (packageJson === undefined) throw notInstalled(name, 'It is a dependency of cdk-onnx: run `npm install` again.');
  const folder = join(dirname(packageJson), 'layer');
  if (!existsSync(folder)) throw notPrepared(folder);
  return folder;
}

/**
 * The folder of the onnxruntime-node that runs on a host: one JavaScript file with the native library beside it.
 *
 * @param platform as process.platform
 * @param nodeArchitecture as process.arch
 * @throws ConfigurationError `RUNTIME_NOT_INSTALLED`, `NOT_PREPARED`
 */
export function hostRuntimeFolder(
  platform: string = process.platform,
  nodeArchitecture: string = process.arch,
): string {
  const name = packageName(`${platform}-${nodeArchitecture}`);
  if (resolveFrom(`${name}/package.json`) === undefined) {
    throw notInstalled(
      name,
      'npm leaves it out with --omit=optional, or where a lock file from another platform does not list it: run `npm install`. ' +
        'There are packages for Linux on x64 and arm64, macOS on arm64, Windows on x64 and arm64.',
    );
  }
  const entry = resolveFrom(name);
  if (entry === undefined) throw notPrepared(`The entry of ${name}`);
  return dirname(entry);
}

/** The version of onnxruntime that layers carry and artifacts are checked with. */
export function onnxruntimeVersion(): string {
  const packageJson = join(onnxruntimeLayerFolder('arm64'), RUNTIME_IN_LAYER, 'package.json');
  return (JSON.parse(readFileSync(packageJson, 'utf8')) as { readonly version: string }).version;
}

function packageName(platform: string): string {
  return `@cdk-onnx/onnxruntime-${platform}`;
}

function resolveFrom(request: string): string | undefined {
  try {
    return createRequire(import.meta.filename).resolve(request);
  } catch {
    return undefined;
  }
}

function notInstalled(name: string, advice: string): ConfigurationError {
  return new ConfigurationError({ code: 'RUNTIME_NOT_INSTALLED', message: `${name} is not installed.`, advice });
}

function notPrepared(what: string): ConfigurationError {
  return new ConfigurationError({
    code: 'NOT_PREPARED',
    message: `${what} does not exist.`,
    advice: 'Run `npm run prepare` in a checkout; an installed package that lacks it is damaged: install it again.',
  });
}
