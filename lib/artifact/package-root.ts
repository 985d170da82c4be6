import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigurationError } from '../errors.js';
import { onnxruntimeVersion } from './onnxruntime-package.js';

const PACKAGE_NAME = 'cdk-onnx';

interface PackageJson {
  readonly name: string;
  readonly version: string;
}

/** The folder of this package: the nearest one above this file whose package.json says `cdk-onnx`. */
export function packageRoot(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (readPackageJson(folder)?.name === PACKAGE_NAME) return folder;
    if (folder === dirname(folder)) break;
  }
  throw new ConfigurationError({
    code: 'PACKAGE_ROOT_NOT_FOUND',
    message: `No folder above ${import.meta.dirname} holds the package.json of ${PACKAGE_NAME}.`,
    advice: `Keep ${PACKAGE_NAME} out of bundles: it runs its own command line and ships files beside its code.`,
  });
}

/** Versions that decide what a build makes: this package's and onnxruntime's. */
export function toolVersion(): { readonly package: string; readonly onnxruntime: string } {
  return { package: readPackageJson(packageRoot())?.version ?? 'unknown', onnxruntime: onnxruntimeVersion() };
}

/**
 * A file or folder that `npm run prepare` made below `dist`.
 *
 * @throws ConfigurationError `NOT_PREPARED`
 */
export function preparedPath(...segments: readonly string[]): string {
  const path = join(packageRoot(), 'dist', ...segments);
  if (existsSync(path)) return path;
  throw new ConfigurationError({
    code: 'NOT_PREPARED',
    message: `${path} does not exist.`,
    advice: 'Run `npm run prepare` in a checkout; an installed package that lacks it is damaged: install it again.',
  });
}

function readPackageJson(folder: string): PackageJson | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson;
  } catch {
    return undefined;
  }
}
