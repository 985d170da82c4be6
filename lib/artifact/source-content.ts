/** The files that a model's source is made of: their size, and a digest that is the same on every machine. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { sha256OfFile } from './digest.js';
import { listFolder } from './folder-digest.js';

/** The topology of a TensorFlow.js model; one that is larger names no shards that anybody would miss. */
const MAX_JSON_BYTES = 64 * 2 ** 20;
const SAVED_MODEL = /^saved_model\.pb(txt)?$/;

/** The folder that a source is, or that it says nothing without: a SavedModel may be named by its file. */
export function sourceFolder(source: string): string | undefined {
  if (statSync(source).isDirectory()) return source;
  return SAVED_MODEL.test(basename(source)) ? dirname(source) : undefined;
}

/**
 * Absolute paths of regular files, the named one first: of a folder all of them, of a TensorFlow.js model its shards too. External data of
 * an ONNX file is not among them: whoever reads it has its weights.
 * @throws ArtifactError SYMBOLIC_LINK_IN_FOLDER
 */
export function sourceFiles(source: string): readonly string[] {
  const folder = sourceFolder(source);
  if (folder !== undefined) return listFolder(folder).map(({ path }) => join(folder, path));
  return [source, ...shardsOf(source)];
}

/** Bytes of all files of a source. */
export function sourceBytes(source: string): number {
  return sourceFiles(source).reduce((sum, file) => sum + statSync(file).size, 0);
}

/** sha256 of a file that stands alone; of several, of their names and digests. */
export async function sourceDigest(source: string): Promise<string> {
  const files = sourceFiles(source);
  const [only] = files;
  if (files.length === 1 && only === source) return await sha256OfFile(source);
  const folder = sourceFolder(source) ?? dirname(source);
  const hash = createHash('sha256');
  for (const file of files) {
    const name = relative(folder, file).split(sep).join('/');
    hash.update(`${JSON.stringify(name)} ${await sha256OfFile(file)}\n`);
  }
  return hash.digest('hex');
}

/** What a TensorFlow.js model names in its manifest and has beside it. Anything that is no such model names nothing. */
function shardsOf(source: string): string[] {
  if (!source.endsWith('.json') || statSync(source).size > MAX_JSON_BYTES) return [];
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(source, 'utf8'));
  } catch {
    return [];
  }
  const manifest = isRecord(json) && Array.isArray(json.weightsManifest) ? json.weightsManifest : [];
  const names = manifest.flatMap((group: unknown) =>
    isRecord(group) && Array.isArray(group.paths) ? group.paths : [],
  );
  const folder = dirname(resolve(source));
  return [...new Set(names)]
    .filter((name): name is string => typeof name === 'string' && !name.split(/[\\/]/).includes('..'))
    .map((name) => join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
