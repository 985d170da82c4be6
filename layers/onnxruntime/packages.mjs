/** The `@cdk-onnx/onnxruntime-*` packages: a folder beside this file for each platform, of which package.json and README.md are committed. */
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildOnnxRuntimeLayer } from './build.mjs';
import { writeSlimRuntime } from './slim-runtime.mjs';

/** The platforms that there are packages for: `process.platform` and `process.arch` with a hyphen between them. */
export const PLATFORMS = readdirSync(import.meta.dirname).filter((name) =>
  existsSync(join(import.meta.dirname, name, 'package.json')),
);

/** @param {string} target one of PLATFORMS */
export function packageFolder(target) {
  return join(import.meta.dirname, target);
}

/**
 * Makes what a package publishes: for Linux the Lambda layer in `layer/`, for the other hosts of the toolchain the bare runtime in `runtime/`.
 *
 * @param {string} target one of PLATFORMS
 * @param {(folder: string, make: (temporary: string) => Promise<void>) => Promise<void>} replace makes a folder and moves it into place
 */
export async function buildOnnxRuntimePackage(target, replace) {
  if (!PLATFORMS.includes(target)) throw new RangeError(`'${target}' is none of ${PLATFORMS.join(', ')}`);
  const folder = packageFolder(target);
  const [platform, nodeArchitecture] = target.split('-');
  if (platform === 'linux') {
    const architecture = nodeArchitecture === 'arm64' ? 'arm64' : 'x86_64';
    await replace(join(folder, 'layer'), (outputDirectory) => buildOnnxRuntimeLayer({ architecture, outputDirectory }));
  } else {
    await replace(join(folder, 'runtime'), (outputDirectory) =>
      writeSlimRuntime({ platform, nodeArchitecture, outputDirectory }),
    );
  }
  copyFileSync(join(import.meta.dirname, 'LICENSE.onnxruntime'), join(folder, 'LICENSE'));
  copyFileSync(join(import.meta.dirname, 'ThirdPartyNotices.txt'), join(folder, 'ThirdPartyNotices.txt'));
}
