/** /opt of a function: its layers unpacked over each other. */
import { constants, copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hostRuntimeFolder } from '../artifact/onnxruntime-package.js';

const RUNTIME_PACKAGE = 'nodejs/node_modules/onnxruntime-node';

export interface OptFolderOptions {
  /** Absolute, in the order in which Lambda unpacks them: a later layer's files win. */
  readonly layerFolders: readonly string[];
  /** Created if it is absent. */
  readonly target: string;
  /** Whether the onnxruntime of this host takes the place of the one in a layer. */
  readonly replaceRuntime: boolean;
}

/**
 * Hard links where the file system allows, else copies: symbolic links would not do, since Node.js and onnxruntime both look at
 * where a file really lies.
 */
export function layOutOptFolder({ layerFolders, target, replaceRuntime }: OptFolderOptions): void {
  mkdirSync(target, { recursive: true });
  for (const folder of layerFolders) merge(folder, target);
  const runtime = join(target, RUNTIME_PACKAGE);
  if (!replaceRuntime || !existsSync(runtime)) return;
  rmSync(runtime, { recursive: true });
  symlinkSync(hostRuntimeFolder(), runtime, 'junction');
}

export type RuntimeChoice =
  | { readonly kind: 'layer' }
  | { readonly kind: 'installed'; readonly reason: string }
  | { readonly kind: 'impossible'; readonly reason: string };

/**
 * Which onnxruntime a function runs with here: the layer's native library is for Linux and one architecture.
 *
 * @param platform as process.platform
 * @param hostArchitecture as process.arch
 */
export function chooseRuntime(
  platform: string,
  hostArchitecture: string,
  functionArchitecture: 'arm64' | 'x86_64',
): RuntimeChoice {
  if (platform !== 'linux') {
    return {
      kind: 'installed',
      reason: `this host is ${platform}: its own onnxruntime stands in for the runtime layer, all else is as deployed`,
    };
  }
  if (lambdaArchitecture(hostArchitecture) === functionArchitecture) return { kind: 'layer' };
  return {
    kind: 'impossible',
    reason: `the function is for ${functionArchitecture}, this host is ${hostArchitecture}`,
  };
}

/** Lambda's name of an architecture that Node.js names. */
export function lambdaArchitecture(nodeArchitecture: string): 'arm64' | 'x86_64' {
  return nodeArchitecture === 'arm64' ? 'arm64' : 'x86_64';
}

function merge(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      mkdirSync(target, { recursive: true });
      merge(source, target);
    } else if (entry.isFile()) {
      rmSync(target, { force: true });
      linkOrCopy(source, target);
    }
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    // Another file system, or one without hard links.
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
  }
}
