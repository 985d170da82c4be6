/** Artifacts as folders: every file named and digested by the manifest, the manifest's own hash over all of it. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { ArtifactError } from '../errors.js';
import { canonicalJson, type Json, readableJson, sha256, sha256OfFile } from './digest.js';
import { type ArtifactFile, MANIFEST_FILE, type Manifest } from './manifest.js';
import { parseManifest } from './schema.js';
import { GPU_FOLDER, TRITON_FOLDER } from './triton.js';

/** Says how the artifact was made; not part of what it is. */
export const REPORT_FILE = 'report.json';

/** Digests every file of `folder`, completes the manifest with them and its hash, and writes it. */
export async function writeManifest(
  folder: string,
  manifest: Omit<Manifest, 'contentHash' | 'files'>,
): Promise<Manifest> {
  const files: ArtifactFile[] = [];
  for (const path of filesBelow(folder)) {
    const absolute = join(folder, path);
    files.push({ path, sha256: await sha256OfFile(absolute), bytes: statSync(absolute).size });
  }
  const complete: Manifest = { ...manifest, files, contentHash: contentHashOf({ ...manifest, files }) };
  writeFileSync(join(folder, MANIFEST_FILE), readableJson(complete as unknown as Json));
  return complete;
}

/** sha256 of everything in the manifest but the hash itself. */
export function contentHashOf(manifest: Omit<Manifest, 'contentHash'> & { readonly contentHash?: string }): string {
  const { contentHash: _, ...rest } = manifest;
  return sha256(canonicalJson(rest as unknown as Json));
}

/**
 * Reads and checks the manifest of an artifact; with `verifyFiles`, every file against its digest too.
 * @throws ArtifactError ARTIFACT_MISSING, ARTIFACT_DAMAGED; ConfigurationError MANIFEST_INVALID
 */
export async function readArtifact(
  folder: string,
  options: { readonly verifyFiles?: boolean } = {},
): Promise<Manifest> {
  const path = join(folder, MANIFEST_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ArtifactError({
      code: 'ARTIFACT_MISSING',
      message: `${folder} is no artifact: it has no readable ${MANIFEST_FILE}.`,
      advice: 'Make one with `cdk-onnx build <model directory> --out <folder>`.',
      cause,
    });
  }
  const manifest = parseManifest(text, path);
  if (contentHashOf(manifest) !== manifest.contentHash)
    throw damaged(path, 'its contentHash does not match what it says');
  for (const file of manifest.files) {
    const bytes = statSync(join(folder, file.path), { throwIfNoEntry: false })?.size;
    if (bytes !== file.bytes) throw damaged(path, `${file.path} has ${bytes ?? 'no'} bytes, ${file.bytes} expected`);
    if (options.verifyFiles === true && (await sha256OfFile(join(folder, file.path))) !== file.sha256) {
      throw damaged(path, `${file.path} has another sha256`);
    }
  }
  return manifest;
}

function damaged(path: string, what: string): ArtifactError {
  return new ArtifactError({
    code: 'ARTIFACT_DAMAGED',
    message: `The artifact of ${path} is damaged: ${what}.`,
    advice: 'Build it again; artifacts are never edited by hand.',
  });
}

/** Paths of the files that belong to an artifact, sorted by code unit, with forward slashes. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => path !== MANIFEST_FILE && path !== REPORT_FILE)
    .filter((path) => !path.startsWith(`${GPU_FOLDER}/`) && !path.startsWith(`${TRITON_FOLDER}/`))
    .sort((a, b) => (a < b ? -1 : 1));
}
