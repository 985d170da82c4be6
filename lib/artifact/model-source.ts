/** Where a model's file is: beside model.json, or inside an npm package. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigurationError } from '../errors.js';

const MODULE_PREFIX = 'module:';

/**
 * The absolute path behind `source` of a model.json in `modelDirectory`. `module:<package>/<path>` is looked up in the node_modules
 * folders from there upwards, as Node does, but past a package's `exports`, which seldom list model files.
 * @throws ConfigurationError SOURCE_NOT_FOUND
 */
export function resolveModelSource(source: string, modelDirectory: string): string {
  if (!source.startsWith(MODULE_PREFIX)) {
    const path = resolve(modelDirectory, source);
    if (existsSync(path)) return path;
    throw notFound(
      source,
      `there is nothing at ${path}`,
      'Correct `source` in model.json; it is relative to that file.',
    );
  }
  const specifier = source.slice(MODULE_PREFIX.length);
  const [packageName, inner] = splitSpecifier(specifier);
  if (inner === undefined || inner.split('/').includes('..')) {
    throw notFound(
      source,
      'it is not of the form module:<package>/<path>',
      'For example module:some-package/model.onnx.',
    );
  }
  for (let folder = resolve(modelDirectory); ; folder = dirname(folder)) {
    const packageFolder = join(folder, 'node_modules', packageName);
    if (existsSync(packageFolder)) {
      const path = join(packageFolder, inner);
      if (existsSync(path)) return path;
      throw notFound(
        source,
        `${packageName} is installed and has no ${inner}`,
        'Look into the package for the right path.',
      );
    }
    if (folder === dirname(folder)) break;
  }
  throw notFound(
    source,
    `no node_modules folder above ${modelDirectory} has it`,
    `Run \`npm install ${packageName}\`.`,
  );
}

function splitSpecifier(specifier: string): [string, string | undefined] {
  const parts = specifier.split('/');
  const length = specifier.startsWith('@') ? 2 : 1;
  const inner = parts.slice(length).join('/');
  return [parts.slice(0, length).join('/'), inner === '' ? undefined : inner];
}

function notFound(source: string, why: string, advice: string): ConfigurationError {
  return new ConfigurationError({
    code: 'SOURCE_NOT_FOUND',
    message: `The model source '${source}' was not found: ${why}.`,
    advice,
  });
}
