import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Construct } from 'constructs';
import { canonicalJson, sha256 } from '../artifact/digest.js';
import { FileDigests } from '../artifact/file-digests.js';
import { MANIFEST_FILE, type Manifest } from '../artifact/manifest.js';
import { GPU_FOLDER, TRITON_FILES, TRITON_FOLDER } from '../artifact/triton.js';
import { SynthesisError } from '../errors.js';
import type { StagedModel } from './model.js';
import { stage } from './model-asset.js';

/**
 * Stages an artifact that was built before: the files that its manifest lists, nothing else.
 *
 * @throws SynthesisError `ARTIFACT_DAMAGED` when a file is absent or is not the one that the manifest describes.
 */
export function stageArtifact(
  scope: Construct,
  options: { readonly folder: string; readonly manifest: Manifest },
): StagedModel {
  const { folder, manifest } = options;
  const digests = new FileDigests();
  checkFiles(folder, manifest, digests);
  // The manifest holds the digest of every file, so its own digest covers them all.
  const assetHash = digests.sha256(join(folder, MANIFEST_FILE));
  digests.save();
  return stage(scope, manifest.name, folder, assetHash, (output) => {
    for (const path of [MANIFEST_FILE, ...manifest.files.map((file) => file.path)]) {
      const target = join(output, path);
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(join(folder, path), target);
    }
  });
}

/**
 * Stages Triton's archive of an artifact that was built before.
 *
 * @throws SynthesisError `GPU_VARIANT_MISSING`
 */
export function stageBuiltArchive(
  scope: Construct,
  options: { readonly folder: string; readonly name: string },
): StagedModel {
  const folder = join(options.folder, GPU_FOLDER, TRITON_FOLDER);
  const absent = TRITON_FILES.find((name) => statSync(join(folder, name), { throwIfNoEntry: false }) === undefined);
  if (absent !== undefined) {
    throw new SynthesisError({
      code: 'GPU_VARIANT_MISSING',
      message: `The artifact in ${options.folder} has no variant for a GPU: ${join(folder, absent)} is absent.`,
      advice: 'Add "gpu": { "precision": "fp16" } to its model.json and build it again, without --skip-gpu.',
    });
  }
  const digests = new FileDigests();
  const assetHash = canonicalHash(TRITON_FILES.map((name) => digests.sha256(join(folder, name))));
  digests.save();
  return stage(scope, options.name, folder, assetHash, (output) => {
    mkdirSync(output, { recursive: true });
    for (const name of TRITON_FILES) copyFileSync(join(folder, name), join(output, name));
  });
}

function canonicalHash(digests: readonly string[]): string {
  return sha256(canonicalJson({ archive: digests }));
}

function checkFiles(folder: string, manifest: Manifest, digests: FileDigests): void {
  for (const file of manifest.files) {
    const path = join(folder, file.path);
    const bytes = statSync(path, { throwIfNoEntry: false })?.size;
    if (bytes === file.bytes && digests.sha256(path) === file.sha256) continue;
    const found =
      bytes === undefined ? 'is absent' : bytes === file.bytes ? 'has another digest' : `has ${bytes} bytes`;
    throw new SynthesisError({
      code: 'ARTIFACT_DAMAGED',
      message: `${path} ${found}; its manifest says ${file.bytes} bytes, sha256 ${file.sha256}.`,
      advice: 'Build or fetch the artifact again.',
    });
  }
}
