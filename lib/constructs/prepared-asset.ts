import { Code } from 'aws-cdk-lib/aws-lambda';
import { FileDigests } from '../artifact/file-digests.js';
import { folderBytes, folderDigest } from '../artifact/folder-digest.js';
import { onnxruntimeLayerFolder } from '../artifact/onnxruntime-package.js';
import { preparedPath } from '../artifact/package-root.js';
import type { ArchitectureName } from './architecture.js';

/** A folder that this package or one of its dependencies ships: what goes to Lambda, its hash and its unzipped size. */
export interface PreparedAsset {
  readonly code: Code;
  readonly digest: string;
  readonly bytes: number;
}

export function predictFunctionAsset(): PreparedAsset {
  return preparedAsset(preparedPath('functions', 'predict'));
}

export function routerAsset(): PreparedAsset {
  return preparedAsset(preparedPath('functions', 'router'));
}

export function preTrafficAsset(): PreparedAsset {
  return preparedAsset(preparedPath('functions', 'pre-traffic'));
}

export function versionRetentionAsset(): PreparedAsset {
  return preparedAsset(preparedPath('functions', 'version-retention'));
}

export function onnxRuntimeAsset(architecture: ArchitectureName): PreparedAsset {
  return preparedAsset(onnxruntimeLayerFolder(architecture));
}

/** The digest is remembered between synths: hashing the runtime's library each time would cost a tenth of a second. */
function preparedAsset(folder: string): PreparedAsset {
  const digests = new FileDigests();
  const digest = folderDigest(folder, digests);
  digests.save();
  return { code: Code.fromAsset(folder, { assetHash: digest }), digest, bytes: folderBytes(folder) };
}
